package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
)

// Options say what a manager works for. All fields but the last five are
// required.
type Options struct {
	Root       string         // the project's root
	Dir        string         // the project's folder, which holds the store
	Broker     *broker.Broker // stays open; the caller closes it
	Durability string         // of the store, for consumers that go on alone
	MaxMessage int            // bytes, likewise
	Executable string         // the program whose consumers are started
	Build      string         // what tells this program from another version of it
	Env        []string       // the environment of consumers, and of requests that bring none

	// MaxTasks is how many tasks run at once; 0 means four for each core,
	// because tasks wait more than they compute.
	MaxTasks int
	// Lifetime is how long the manager stays without work; 0 means for ever.
	Lifetime time.Duration
	// Hosted: the manager is part of a program that goes on when it leaves.
	Hosted bool
	// Ready is called when the manager works: a consumer has started. It may
	// be called again.
	Ready func()
	// Log gets what the manager does; nil discards it.
	Log *slog.Logger
}

// ErrRunning is returned by [Manager.Run] when the project has a manager.
var ErrRunning = errors.New("another manager is running")

// A Manager runs the tasks of one project.
type Manager struct {
	o       Options
	log     *slog.Logger
	self    proc.Identity
	record  *ledger.Manager
	watch   watch
	pool    *pool
	events  chan event
	stop    chan struct{}
	stopped sync.Once

	survivors map[task]*survivor
	envs      map[string]string // packed environments by their key
	unsettled work              // what could not be written yet
	waiting   bool              // requests may be waiting
	stopping  bool
	idleSince time.Time
}

// task names one attempt at a task.
type task struct {
	tid   string
	epoch int
}

// New returns a manager; [Manager.Run] starts it.
func New(o Options) *Manager {
	if o.MaxTasks == 0 {
		o.MaxTasks = 4 * runtime.NumCPU()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() {}
	}
	m := &Manager{
		o:         o,
		log:       o.Log,
		events:    make(chan event, 64),
		stop:      make(chan struct{}),
		survivors: make(map[task]*survivor),
		envs:      make(map[string]string),
	}
	return m
}

// Stop tells the manager to take no more tasks, to stop those that run, giving
// them their grace, and to leave. Queued tasks stay queued.
func (m *Manager) Stop() { m.stopped.Do(func() { close(m.stop) }) }

// Run takes the leadership of the project and gives out tasks until it has had
// no work for its lifetime, or is stopped, which both return nil, or ctx ends,
// which returns its error: then running tasks go on without it. [ErrRunning]
// means that the project has a manager already.
func (m *Manager) Run(ctx context.Context) error {
	lock, err := lead(m.o.Dir, m.leaving)
	if err != nil {
		return err
	}
	defer lock.release()
	if m.self, err = proc.Self(); err != nil {
		return err
	}
	// What goes on in the background ends with Run.
	inner, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	m.watch = watcher(inner, &background, m.events)
	m.pool = &pool{o: m.o, watch: m.watch}
	defer m.pool.close()

	bells, err := m.o.Broker.Listen(ledger.Requests, ledger.ManagerControl)
	if err != nil {
		return err
	}
	defer bells.Close()
	controls, err := m.o.Broker.Listen()
	if err != nil {
		return err
	}
	defer controls.Close()
	if err := m.arrive(ctx); err != nil {
		return err
	}
	return m.loop(ctx, bells, controls)
}

// leaving reports whether the latest manager has said that it leaves, so that
// its lock will be free in a moment.
func (m *Manager) leaving() bool {
	managed := true
	err := m.o.Broker.Update(context.Background(), func(tx *broker.Tx) (err error) {
		managed, err = ledger.Managed(tx)
		return err
	})
	return err == nil && !managed
}

// arrive records that there is a manager, and looks what an earlier one left.
func (m *Manager) arrive(ctx context.Context) error {
	var live []*ledger.Task
	err := m.o.Broker.Update(ctx, func(tx *broker.Tx) (err error) {
		if m.record, err = ledger.Arrive(tx, ledger.Manager{Process: m.self, Build: m.o.Build, Hosted: m.o.Hosted}, time.Now()); err != nil {
			return err
		}
		live, err = ledger.Live(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("take over project: %w", err)
	}
	m.log = m.log.With("manager", m.record.TID)
	m.log.Info("manager started", "pid", m.self.PID, "slots", m.o.MaxTasks, "survivors", len(live))
	for _, t := range live {
		m.adopt(t)
	}
	return nil
}

// leave records that the manager leaves, so that whoever submits starts
// another one.
func (m *Manager) leave() error {
	err := m.o.Broker.Update(context.Background(), func(tx *broker.Tx) error {
		return m.record.Leave(tx, time.Now())
	})
	m.log.Info("manager stopped")
	return err
}

// leaveIdle records that the manager leaves unless there is work after all.
func (m *Manager) leaveIdle() (left bool, err error) {
	err = m.o.Broker.Update(context.Background(), func(tx *broker.Tx) (err error) {
		left, err = m.record.LeaveIdle(tx, time.Now())
		return err
	})
	if left {
		m.log.Info("manager leaves: no work")
	}
	return left, err
}
