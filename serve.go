package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"weft/internal/consumer"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/manager"
)

// ServeOptions say how a program serves. The zero value is the default.
type ServeOptions struct {
	// Lifetime is how long the manager stays without work; 0 means for ever.
	Lifetime time.Duration
	// Replace makes the project's current manager leave first, even if that is another
	// program that serves. Its running tasks go on.
	Replace bool
	// Only makes Serve return [ErrManagerRunning] where another program serves the
	// project, instead of standing by.
	Only bool
	// Slots is how many functions with isolation "inline" run at once, each a
	// goroutine; 0 means 64.
	Slots int
	// Drain is how long the running tasks have to end when the context has ended, before
	// Serve lets go of them. Meanwhile it starts none.
	Drain time.Duration
	// Autostart says whether to start the project's services; nil: as its settings
	// say.
	Autostart *bool
	// Log gets what the manager does; nil means [Options].Logger.
	Log *slog.Logger
	// Ready is called once, when the manager works.
	Ready func()
	// Stop, when it is closed, stops the running tasks and then the manager.
	// If the context ends instead, running tasks go on.
	Stop <-chan struct{}
}

// Serve runs the project's manager in this process. If ctx ends, running tasks go on
// without the manager, and the error wraps the cause of its end, after
// signal.NotifyContext also [context.Canceled]. If Serve is stopped
// ([ServeOptions.Stop], [Manager.Stop]), it ends the running tasks and returns nil. Queued
// tasks wait for the next manager.
//
// A manager that a client has started in the background leaves when Serve comes, and its
// running tasks go on. If another program serves the project, Serve stands by, logs for
// which process, and takes over when that one has left or died. From the first Serve on no
// call through the Project starts a manager in the background: see [Options].NoManager.
//
// In both states Serve also runs the functions of this program that tasks call with
// isolation "inline", as goroutines without limits. When ctx has ended and
// [ServeOptions.Drain] is over, it ends their contexts and waits for each to return, for the
// grace period of its task. One that returns a value has completed. Any other was
// interrupted: if its task has a retry policy, the attempt does not count and the next
// program that serves begins another; if not, the task has failed. Only a stop cancels such tasks. A goroutine
// cannot be killed: if it does not return then, or after a stop, a kill or a timeout, it goes
// on, and its task is recorded as ended.
func (p *Project) Serve(ctx context.Context, o ServeOptions) error {
	o.Log = cmp.Or(o.Log, p.log)
	if o.Ready != nil {
		o.Ready = sync.OnceFunc(o.Ready)
	}
	p.leaves.Store(true)
	if err := p.trust.Observe(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if err := project.Complete(p.dir); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if len(registered.Names()) == 0 {
		return serve(ctx, p, o, true)
	}
	inner, stop := context.WithCancelCause(ctx)
	var inline error
	var functions sync.WaitGroup
	functions.Go(func() {
		if inline = serveInline(inner, p, o); inline != nil {
			stop(inline)
		}
	})
	err := serve(inner, p, o, true)
	if err == nil {
		stop(consumer.ErrStopped)
	}
	stop(context.Cause(ctx))
	functions.Wait()
	return cmp.Or(inline, err)
}

// serveInline runs functions inside this program until ctx ends, which is no
// error.
func serveInline(ctx context.Context, p *Project, o ServeOptions) error {
	server, err := consumer.NewInline(consumer.InlineOptions{
		Root:        p.root,
		Dir:         p.dir,
		Broker:      p.broker,
		Functions:   &registered,
		MaxMessage:  p.settings.MaxMessage,
		Slots:       o.Slots,
		Drain:       o.Drain,
		Quarantined: p.trust.Quarantined,
		Retention:   bounds(p.retention()),
		Log:         o.Log,
	})
	if err == nil {
		p.inline.Store(server)
		err = server.Serve(ctx)
		p.inline.CompareAndSwap(server, nil)
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// serve is the manager of Serve, for a process that goes on afterwards, if it is
// embedded, or one that only is a manager.
func serve(ctx context.Context, p *Project, o ServeOptions, embedded bool) error {
	path, err := executable()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	options := manager.Options{
		Autostart:   autostartOf(p, o.Autostart),
		Quarantined: p.trust.Quarantined,
		Root:        p.root,
		Dir:         p.dir,
		Broker:      p.broker,
		Durability:  p.settings.Durability,
		MaxMessage:  p.settings.MaxMessage,
		OutputMB:    p.settings.OutputMB,
		Executable:  path,
		Build:       build(),
		Embedded:    embedded,
		Env:         p.Environ(),
		MaxTasks:    p.settings.MaxTasks,
		Retention:   p.retention(),
		Lifetime:    o.Lifetime,
		Ready:       o.Ready,
		Stop:        o.Stop,
		Drain:       o.Drain,
		Log:         o.Log,
	}
	if embedded && initialized.Load() {
		options.Functions = registered.Names()
	}
	for {
		if err = manager.Run(ctx, options); !errors.Is(err, ErrManagerRunning) {
			break
		}
		if o.Replace || embedded && p.Manager().inBackground(ctx) {
			// A client that waits for a task may start another one in between.
			_, err = p.Manager().Replace(ctx)
		} else if !o.Only {
			err = standBy(ctx, p, o)
		}
		if err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, errStopped) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// errStopped says that Serve was asked to stop while it stood by.
var errStopped = errors.New("stopped")

// standBy waits until the project has no manager, or one that is to leave for this one.
func standBy(ctx context.Context, p *Project, o ServeOptions) error {
	if last, err := p.Manager().current(ctx); err == nil && last != nil {
		o.Log.Info("standing by for another manager", "manager", last.TID, "pid", last.Process.PID, "started", unixTime(last.Started))
	}
	leaving, err := p.broker.Listen(ledger.ManagerReplies)
	if err != nil {
		return err
	}
	defer leaving.Close()
	look := time.NewTicker(managerPoll)
	defer look.Stop()
	for {
		if running, err := manager.Running(p.dir); err != nil || !running || p.Manager().inBackground(ctx) {
			return err
		}
		select {
		case <-leaving.C():
		case <-look.C:
		case <-o.Stop:
			return errStopped
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

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
	p, err := open(call.Root, opening{existing: true, passed: call.Options})
	if err != nil {
		return err
	}
	defer p.Close()
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
	stopped, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	lifetime := p.Manager().Lifetime()
	if call.Once {
		lifetime = time.Nanosecond       // any: it leaves at the first look that finds no work
		p.settings.Autostart = new(bool) // else it would stay for its services
	}
	return serve(context.Background(), p, ServeOptions{
		Only:     true,
		Lifetime: lifetime,
		Log:      slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: level})),
		Ready:    ready,
		Stop:     stopped.Done(),
	}, false)
}
