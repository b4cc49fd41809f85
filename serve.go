package weft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"weft/broker"
	"weft/internal/ledger"
	"weft/manager"
)

// ErrManagerRunning is returned by [Context.Serve] where the project has a
// manager.
var ErrManagerRunning = manager.ErrRunning

// ServeOptions say how a manager serves. The zero value is the default.
type ServeOptions struct {
	// Lifetime is how long the manager stays without work; 0 means for ever.
	Lifetime time.Duration
	// Log gets what the manager does; nil discards it.
	Log *slog.Logger
	// Ready is called when the manager works, perhaps more than once.
	Ready func()
	// Stop, when it is closed, stops the running tasks and then the manager.
	// Ending the context instead lets them go on.
	Stop <-chan struct{}
}

// Serve is the project's manager, in this process, until ctx ends, which lets
// running tasks go on without it, or until it is stopped ([ServeOptions.Stop],
// [Context.StopManager]), which ends them and returns nil. It returns
// [ErrManagerRunning] if there is a manager already.
//
// Queued tasks wait for the next manager.
func (c *Context) Serve(ctx context.Context, o ServeOptions) error {
	return c.serve(ctx, o, true)
}

// serve is Serve for a process that goes on afterwards, if it is hosted, or one
// that only is a manager.
func (c *Context) serve(ctx context.Context, o ServeOptions, hosted bool) error {
	path, err := executable()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	m := manager.New(manager.Options{
		Root:       c.root,
		Dir:        c.dir,
		Broker:     c.broker,
		Durability: c.settings.Durability,
		MaxMessage: c.settings.MaxMessage,
		Executable: path,
		Build:      build(),
		Hosted:     hosted,
		Env:        os.Environ(),
		MaxTasks:   c.settings.MaxTasks,
		Lifetime:   o.Lifetime,
		Ready:      o.Ready,
		Log:        o.Log,
	})
	if o.Stop != nil {
		over := make(chan struct{})
		var stopper sync.WaitGroup
		defer stopper.Wait()
		defer close(over)
		stopper.Go(func() {
			select {
			case <-o.Stop:
				m.Stop()
			case <-over:
			}
		})
	}
	if err := m.Run(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Lifetime is how long a manager that is started for this project stays
// without work, as its settings say; 0 means for ever.
func (c *Context) Lifetime() time.Duration { return time.Duration(c.settings.Lifetime) }

// A ManagerStatus is a manager of the project, past or present.
type ManagerStatus struct {
	TID     string
	PID     int
	Running bool
	Started time.Time
	Stopped time.Time // zero if it has not said that it left
}

// Managers returns the managers the project has had, oldest first; the last
// one may be running.
func (c *Context) Managers(ctx context.Context) ([]ManagerStatus, error) {
	recs, err := c.broker.Records(ctx, ledger.ManagerKind, broker.RecordSelect{})
	if err != nil {
		return nil, err
	}
	var all []ManagerStatus
	for _, r := range recs {
		if ledger.IsCurrent(r) {
			continue
		}
		m, err := ledger.DecodeManager(r)
		if err != nil {
			return nil, err
		}
		all = append(all, ManagerStatus{
			TID:     m.TID,
			PID:     m.Process.PID,
			Running: m.Status == ledger.ManagerRunning && m.Process.Alive(),
			Started: moment(m.Started),
			Stopped: moment(m.Stopped),
		})
	}
	return all, nil
}

// StopManager stops the running tasks and then the manager, and returns when
// it has gone. It returns false if there was none. Cancelling ctx ends the
// wait, not the request.
func (c *Context) StopManager(ctx context.Context) (bool, error) {
	running, err := manager.Running(c.dir)
	if err != nil || !running {
		return false, err
	}
	r, err := c.broker.Record(ctx, ledger.ManagerKind, ledger.CurrentManager)
	if err != nil {
		return false, fmt.Errorf("stop manager: %w", err)
	}
	m, err := ledger.DecodeManager(r)
	if err != nil {
		return false, err
	}
	gone, err := c.broker.Listen(ledger.ManagerReplies)
	if err != nil {
		return false, fmt.Errorf("stop manager: %w", err)
	}
	defer gone.Close()
	if _, err := c.Queue(ledger.ManagerControl).Write(ctx, string(ledger.CommandStop)); err != nil {
		return false, err
	}
	if !m.Hosted {
		if err := m.Process.Wait(ctx); err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
		return true, nil
	}
	// Its program may go on; only the manager leaves.
	for {
		r, err := c.broker.Record(ctx, ledger.ManagerKind, m.TID)
		if err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
		if r.State == ledger.ManagerGone || !m.Process.Alive() {
			return true, nil
		}
		if err := gone.Wait(ctx); err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
	}
}

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
	return c.serve(context.Background(), ServeOptions{
		Lifetime: c.Lifetime(),
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
