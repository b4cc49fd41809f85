package weft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"weft/broker"
	"weft/internal/consumer"
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/project"
	"weft/manager"
)

// A Manager speaks to the project's manager, the process that gives its tasks
// to consumers, whether it is there or not: get it from [Project.Manager].
type Manager struct{ project *Project }

// Manager gives access to the project's manager. It starts nothing.
func (p *Project) Manager() *Manager { return &Manager{p} }

// Start starts the project's manager if it has none, and returns when it
// works. Cancelling ctx ends the wait. The error says why it could not start.
func (m *Manager) Start(ctx context.Context) error {
	path, err := executable()
	if err != nil {
		return err
	}
	if err := m.project.trust.Observe(ctx); err != nil {
		return err
	}
	if err := project.Complete(m.project.dir); err != nil {
		return err
	}
	m.project.started.Store(true)
	call := manager.Call{
		Protocol: consumer.Protocol, Build: build(), Root: m.project.root, Once: m.Once(),
		Options: m.project.options, Since: m.project.trust.UnrecordedSince(), Env: m.project.Environ(),
	}
	return manager.Start(ctx, path, call, m.project.dir, m.project.broker, m.project.notices.say)
}

// Started reports whether this Project has started a manager because there was none.
func (m *Manager) Started() bool { return m.project.started.Load() }

// ensure starts a manager unless there is one, or others see to that. mayRun: as far as it
// is known there is one; false if the last one said that it leaves.
func (m *Manager) ensure(ctx context.Context, mayRun bool) error {
	switch {
	case m.project.leaves.Load():
		return nil
	case !mayRun:
		return m.Start(ctx)
	}
	if _, err := os.Lstat(m.project.dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s was moved or removed", broker.ErrGone, m.project.dir)
	}
	running, err := manager.Running(m.project.dir)
	if err != nil || running {
		return err
	}
	return m.Start(ctx)
}

// Once reports whether a manager that is started here leaves as soon as there
// is no work, because the settings say that it is not to be reused.
func (m *Manager) Once() bool { return m.project.settings.Reuse != nil && !*m.project.settings.Reuse }

// Lifetime is how long a manager that is started for this project stays
// without work, as its settings say; 0 means for ever.
func (m *Manager) Lifetime() time.Duration { return time.Duration(m.project.settings.Lifetime) }

// LogLevel is the least level that the project's manager logs, as its settings
// say.
func (m *Manager) LogLevel() slog.Level {
	level, err := m.project.settings.Level()
	if err != nil {
		return slog.LevelInfo // not to be: the settings were checked when they were read
	}
	return level
}

// Slots returns how many tasks the running manager runs at once, and how many of these
// slots are in use. Both are 0 if no manager runs.
func (m *Manager) Slots(ctx context.Context) (taken, all int, err error) {
	running, err := manager.Running(m.project.dir)
	if err != nil || !running {
		return 0, 0, err
	}
	err = m.project.broker.View(ctx, func(r broker.Reader) error {
		rec, err := r.Record(ledger.ManagerKind, ledger.CurrentManager)
		if err != nil {
			return err
		}
		current, err := ledger.DecodeManager(rec)
		if err != nil {
			return nil // how many it has is not known
		}
		all = current.Slots
		taken, err = ledger.SlotsInUse(r)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count slots: %w", err)
	}
	return taken, all, nil
}

// A ManagerStatus is a manager of the project, past or present.
type ManagerStatus struct {
	TID     string
	PID     int
	Running bool
	Halted  bool // a signal has stopped its process
	// OtherNamespace: it is in another pid namespace, in a container for example, where
	// PID is its id.
	OtherNamespace bool
	Started        time.Time
	Stopped        time.Time // zero if it has not said that it left
}

// List returns the managers the project has had, oldest first; the last one may
// be running.
func (m *Manager) List(ctx context.Context) ([]ManagerStatus, error) {
	return m.list(ctx, broker.RecordSelect{})
}

// Running returns the manager that is running, or none.
func (m *Manager) Running(ctx context.Context) ([]ManagerStatus, error) {
	all, err := m.list(ctx, broker.RecordSelect{States: []string{ledger.ManagerRunning}})
	return slices.DeleteFunc(all, func(s ManagerStatus) bool { return !s.Running }), err
}

func (m *Manager) list(ctx context.Context, sel broker.RecordSelect) ([]ManagerStatus, error) {
	recs, err := m.project.broker.Records(ctx, ledger.ManagerKind, sel)
	if err != nil {
		return nil, err
	}
	held, err := manager.Running(m.project.dir)
	if err != nil {
		return nil, err
	}
	var all []ManagerStatus
	for _, r := range recs {
		if ledger.IsCurrent(r) {
			continue
		}
		last, err := ledger.DecodeManager(r)
		if err != nil {
			continue // Check reports it
		}
		all = append(all, ManagerStatus{
			TID:            last.TID,
			PID:            last.Process.PID,
			Running:        held && !last.Gone(),
			Halted:         last.IsStopped(),
			OtherNamespace: last.Elsewhere(),
			Started:        unixTime(last.Started),
			Stopped:        unixTime(last.Stopped),
		})
	}
	return all, nil
}

// Stop stops the running tasks and then the manager, and returns when the manager has
// ended. It returns false if there was no manager. Cancelling ctx ends the
// wait, not the request.
func (m *Manager) Stop(ctx context.Context) (bool, error) {
	return m.end(ctx, ledger.CommandStop)
}

// Replace makes the manager leave, for another one, and returns when it has ended:
// running tasks go on without it, and queued tasks wait. Otherwise it is like
// [Manager.Stop].
func (m *Manager) Replace(ctx context.Context) (bool, error) {
	return m.end(ctx, ledger.CommandLeave)
}

// Kill kills the process of the manager, and returns when it has ended, or false if
// there was no manager. Running tasks go on, as after a crash, and queued tasks wait.
// Kill is for a manager that does not stop when asked. It does not kill a manager that
// is part of a user's program, because that would kill the program: then the error wraps
// [errors.ErrUnsupported], or [ErrPIDNamespace] for one that cannot be seen from here.
// Cancelling ctx ends the wait.
func (m *Manager) Kill(ctx context.Context) (bool, error) {
	last, err := m.current(ctx)
	switch {
	case err != nil:
		return false, fmt.Errorf("kill manager: %w", err)
	case last == nil:
		return false, nil
	case last.Process == (proc.Identity{}):
		return false, errors.New("kill manager: its record is damaged, so its process is not known: weft system repair")
	case last.Elsewhere():
		return false, fmt.Errorf("kill manager: %w (pid %d there)", ErrPIDNamespace, last.Process.PID)
	case last.Embedded:
		return false, fmt.Errorf("kill manager: %w: it is part of the program with pid %d: end that", errors.ErrUnsupported, last.Process.PID)
	}
	if err = last.Process.Signal(syscall.SIGKILL); err == nil {
		err = last.Process.Wait(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("kill manager: %w", err)
	}
	return true, nil
}

// current is the manager that is running, nil if there is none. One whose record is
// damaged, so that only its lock is known, is the zero value.
func (m *Manager) current(ctx context.Context) (*ledger.Manager, error) {
	running, err := manager.Running(m.project.dir)
	if err != nil || !running {
		return nil, err
	}
	r, err := m.project.broker.Record(ctx, ledger.ManagerKind, ledger.CurrentManager)
	if err != nil {
		return nil, err
	}
	last, err := ledger.DecodeManager(r)
	if err != nil {
		return new(ledger.Manager), nil
	}
	return last, nil
}

// inBackground reports whether the running manager is one that a client has started in the
// background and that a program which serves can replace.
func (m *Manager) inBackground(ctx context.Context) bool {
	last, err := m.current(ctx)
	return err == nil && last != nil && last.Process != (proc.Identity{}) &&
		!last.Embedded && !last.Gone() && !last.Elsewhere() && last.CheckProtocol() == nil
}

// end orders the manager to stop and waits until it has.
func (m *Manager) end(ctx context.Context, c ledger.Command) (bool, error) {
	last, err := m.current(ctx)
	if err != nil {
		return false, fmt.Errorf("stop manager: %w", err)
	}
	if last == nil {
		return false, nil
	}
	if err := last.CheckProtocol(); err != nil && c == ledger.CommandLeave && last.Process != (proc.Identity{}) {
		return false, err // its consumers could not write to the store without it
	}
	if c == ledger.CommandLeave && last.Elsewhere() {
		// The next one could not see what becomes of the tasks that go on.
		return true, fmt.Errorf("replace manager: %w (pid %d there): replace it there, or stop it with its tasks: weft manager stop", ErrPIDNamespace, last.Process.PID)
	}
	gone, err := m.project.broker.Listen(ledger.ManagerReplies)
	if err != nil {
		return false, fmt.Errorf("stop manager: %w", err)
	}
	defer gone.Close()
	err = m.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.SendManagerControl(tx, c) })
	trouble := m.trouble(ctx)
	if unwritable(err) || err == nil && trouble != nil {
		if _, unheard := control.Give(ctx, m.project.dir, control.Order{Command: c}); unheard == nil {
			err, trouble = nil, nil
		}
	}
	if err == nil && trouble != nil {
		err = fmt.Errorf("it was told to, but %w", trouble)
	}
	if err != nil {
		return false, fmt.Errorf("stop manager: %w", err)
	}
	if last.Process == (proc.Identity{}) {
		return true, awaitNoManager(ctx, m.project, gone)
	}
	if !last.Embedded && !last.Elsewhere() {
		if err := m.awaitExit(ctx, last.Process); err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
		return true, nil
	}
	watch := newWatch(m.project)
	// Its program may go on; only the manager leaves. Or it cannot be seen from here.
	for {
		r, err := m.project.broker.Record(ctx, ledger.ManagerKind, last.TID)
		if err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
		held, err := manager.Running(m.project.dir)
		if err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
		if r.State == ledger.ManagerGone || last.Gone() || !held {
			return true, nil
		}
		watch.report(ctx)
		if err := gone.Wait(ctx); err != nil {
			return true, fmt.Errorf("stop manager: %w", err)
		}
	}
}

// awaitExit waits until the manager's process has ended, and says what keeps it from that.
func (m *Manager) awaitExit(ctx context.Context, process proc.Identity) error {
	watch := newWatch(m.project)
	for {
		look, cancel := context.WithTimeout(ctx, managerPoll)
		err := process.Wait(look)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		watch.report(ctx)
	}
}

// awaitNoManager waits until the project has no manager; gone hears that one leaves.
func awaitNoManager(ctx context.Context, p *Project, gone *broker.Waiter) error {
	for {
		running, err := manager.Running(p.dir)
		if err == nil && running {
			err = waitFor(ctx, gone, managerPoll)
		}
		if err != nil {
			return fmt.Errorf("stop manager: %w", err)
		}
		if !running {
			return nil
		}
	}
}
