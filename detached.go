package weft

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"gopkg.in/natefinch/lumberjack.v2"

	"weft/manager"
)

// The manager's own log: rotated at 10 MiB, five old ones are kept.
const (
	logMB   = 10
	logKept = 5
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
	err = serveDetached(call.Root, func() { answer(nil) })
	answer(err)
	if errors.Is(err, ErrManagerRunning) {
		return nil
	}
	return err
}

func serveDetached(root string, ready func()) error {
	c, err := Open(root)
	if err != nil {
		return err
	}
	defer c.Close()
	log := &lumberjack.Logger{Filename: filepath.Join(c.dir, "logs", "manager.log"), MaxSize: logMB, MaxBackups: logKept}
	defer log.Close()
	level, err := c.settings.level()
	if err != nil {
		return err
	}
	stop, cancel := StopSignals()
	defer cancel()
	return serve(context.Background(), c, ServeOptions{
		Lifetime: c.Manager().Lifetime(),
		Log:      slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})),
		Ready:    ready,
		Stop:     stop,
	}, false)
}

// StopSignals returns a channel that is closed when the process is told to end
// by SIGTERM or SIGINT; for [ServeOptions.Stop]. The caller calls cancel when
// it no longer wants to know.
func StopSignals() (stop <-chan struct{}, cancel func()) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return ctx.Done(), cancel
}
