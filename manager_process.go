package weft

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"weft/internal/project"
	"weft/manager"
)

// runManager is the life of a detached manager, a process that [Init] has taken
// over. conn leads to the client that started it.
func runManager(conn io.ReadWriteCloser) error {
	call, err := manager.ReadCall(conn)
	if err != nil {
		manager.Answer(conn, err)
		return err
	}
	var once sync.Once
	answer := func(err error) { once.Do(func() { manager.Answer(conn, err) }) }
	err = serveDetached(call, func() { answer(nil) })
	answer(err)
	if errors.Is(err, ErrManagerRunning) {
		return nil
	}
	return err
}

func serveDetached(call manager.Call, ready func()) error {
	p, err := OpenExisting(call.Root)
	if err != nil {
		return err
	}
	defer p.Close()
	p.autostart = call.Autostart
	p.trust.See(call.Since)
	if err := p.trust.Observe(context.Background()); err != nil {
		return err
	}
	log, err := project.OpenLog(p.dir)
	if err != nil {
		return err
	}
	defer log.Close()
	level, err := p.settings.Level()
	if err != nil {
		return err
	}
	stop, cancel := StopSignals()
	defer cancel()
	lifetime := p.Manager().Lifetime()
	if call.Once {
		lifetime = time.Nanosecond // any: it leaves at the first look that finds no work
		p.autostart = new(bool)    // else it would stay for its services
	}
	return serve(context.Background(), p, ServeOptions{
		Only:     true,
		Lifetime: lifetime,
		Log:      slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})),
		Ready:    ready,
		Stop:     stop,
	}, false)
}

// StopSignals returns a channel that is closed when the process is asked to end
// by SIGTERM or SIGINT; for [ServeOptions.Stop]. The caller calls cancel when
// it no longer wants to know.
func StopSignals() (stop <-chan struct{}, cancel func()) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return ctx.Done(), cancel
}
