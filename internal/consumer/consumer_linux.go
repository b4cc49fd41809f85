package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"

	"weft/internal/inherit"
	"weft/internal/ledger"
	"weft/internal/notify"
	"weft/internal/proc"
	"weft/internal/title"
	"weft/monitor"
	"weft/taskspec"
)

// Consumer is the state of a consumer process.
type Consumer struct {
	self     proc.Identity
	link     *ConsumerLink
	orders   chan Order // closed when the manager is gone
	main     chan func()
	own      []string // the process's own environment
	envs     map[string]snapshot
	notifier *notify.Notifier
	start    *starter

	spareWorker *worker // an idle worker, or nil
	lastWorker  *worker // the worker of the last call
}

// Main runs a consumer process whose manager holds the other end of conn. It returns when
// the manager is gone and no task runs, or with an error that kept it from starting. It
// must be called on the main goroutine.
func Main(conn io.ReadWriteCloser, build string, env []string) error {
	// The kernel kills a child when the thread that started it ends. The main
	// thread ends with the process, so all children are started on it.
	runtime.LockOSThread()
	if err := monitor.Subreaper(); err != nil {
		return err
	}
	self, err := proc.Self()
	if err != nil {
		return err
	}
	setter, err := inherit.NewSetter()
	if err != nil {
		return err
	}
	c := &Consumer{
		self:   self,
		link:   NewLink[Order, Report](conn),
		orders: make(chan Order),
		main:   make(chan func()),
		own:    env,
		envs:   make(map[string]snapshot),
		start:  &starter{Setter: setter},
	}
	if c.link.Send(Report{Hello: &Hello{Protocol: Protocol, Build: build, Process: self}}) != nil {
		return nil // the manager is gone, and there is nothing to do
	}
	go c.receive()
	failed := make(chan error, 1)
	go func() {
		failed <- c.serve()
		close(c.main)
	}()
	for fn := range c.main {
		fn()
	}
	return <-failed
}

// receive passes on the manager's orders.
func (c *Consumer) receive() {
	defer close(c.orders)
	for {
		o, err := c.link.Receive()
		if err != nil {
			return
		}
		c.orders <- o
	}
}

// onMain runs fn on the main thread.
func (c *Consumer) onMain(fn func()) {
	done := make(chan struct{})
	c.main <- func() { fn(); close(done) }
	<-done
}

// serve works on one task after another until the manager is gone.
func (c *Consumer) serve() (err error) {
	for o := range c.orders {
		for a := o.Task; a != nil; {
			next, failed := c.runTask(a)
			err = errors.Join(err, failed)
			title.Set(title.Format(a.Root, "", "consumer", "idle", ""))
			a = next
		}
	}
	c.stopSpareWorker(nil, nil)
	return err
}

// runTask runs one task from its assignment to its hand-off. It returns the next assignment
// if one has arrived meanwhile.
func (c *Consumer) runTask(a *ledger.Assignment) (next *ledger.Assignment, err error) {
	if a.EnvBlock != nil {
		// One environment is enough: consecutive tasks mostly come from the same shell, and
		// the manager sends the environment again when they do not.
		clear(c.envs)
		c.envs[a.Env] = newSnapshot(string(a.EnvBlock))
	}
	journal := &storeJournal{task: a, self: c.self}
	permit, gone, err := c.awaitPermit(journal)
	if permit == nil || err != nil {
		return nil, err
	}
	if c.notifier == nil {
		// Without notifications followers see output a second later; the task runs all the
		// same.
		c.notifier, _ = notify.Open(filepath.Join(a.WeftDir, "bells"), nil)
	}
	showTitle(a, taskspec.StatusRunning)
	c.stopSpareWorker(a.Function, c.envs[a.Env].attributes)
	control := newTaskControl(c.orders, journal, gone)
	defer func() { next = control.close() }()
	all := journals{&linkJournal{c.link, control.recorded}, journal}
	ev := taskEvents{
		requests: control.requests,
		holds:    control.holds,
		lost:     control.lost,
		started:  func(id proc.Identity) { _ = c.link.Send(Report{Started: &id}) },
		paused: func(paused bool) {
			control.waiters.OnPaused(paused)
			_ = all.record(context.Background(), Report{Paused: &paused})
		},
		// What is sent while the manager dies is lost. That does no harm.
		used:   func(ctx context.Context, u ledger.Usage) { _ = all.record(ctx, Report{Used: &u}) },
		chunks: func(chunks *ledger.Chunks) error { return all.record(context.Background(), Report{Chunks: chunks}) },
		inbox:  journal.inbox,
	}
	var h *ledger.HandOff
	var out *outputs
	if a.Work.Persistent {
		h, out, err = c.newPersistentLoop(a, journal, control, ev).run()
	} else {
		h, out = execute(a, c.startFunc(a, journal, permit.Message), c.outputNotifier(a), ev)
	}
	if err != nil {
		return nil, err
	}
	control.waiters.Ended(h.Outcome)
	defer out.discard()
	defer discardInput(a, h.Outcome)
	// A failed send means that the link has ended; control notices that too.
	sent := c.link.Send(Report{Finished: h})
	if sent == nil && a.Function != nil {
		c.startSpareWorker(a)
	}
	select {
	case <-control.acked:
		return nil, nil
	case <-control.lost:
		if err := journal.record(context.Background(), Report{Finished: h}); err != nil {
			return nil, fmt.Errorf("hand off task %s: %w", a.TID, err)
		}
		return nil, nil
	}
}

// awaitPermit waits until the task may start, and returns nil if it must not. gone reports
// that the manager is gone.
func (c *Consumer) awaitPermit(journal *storeJournal) (p *Permit, gone bool, err error) {
	for o := range c.orders {
		if o.Start != nil || o.Revoke {
			return o.Start, false, nil
		}
	}
	// The manager died between the assignment and the permit. The store tells whether the
	// reservation was committed.
	p, err = journal.reserved()
	return p, true, err
}

// showTitle shows the task in the process title, if the assignment asks for it.
func showTitle(a *ledger.Assignment, status taskspec.Status) {
	if a.Work.Title() {
		title.Set(title.Format(a.Root, taskspec.ShortTID(a.TID), a.Name, string(status), ""))
	}
}

// startFunc returns a function that starts the task's process on the main thread.
func (c *Consumer) startFunc(a *ledger.Assignment, journal *storeJournal, message string) func() (*command, *taskspec.Outcome) {
	return func() (cmd *command, failed *taskspec.Outcome) {
		if a.Function == nil {
			env := c.environment(a, message)
			c.onMain(func() { cmd, failed = start(a, env, c.starter(a)) })
			return cmd, failed
		}
		env := maps.Clone(a.Work.Env)
		if env == nil {
			env = make(map[string]string)
		}
		maps.Copy(env, identity(a, message))
		c.onMain(func() {
			cmd, failed = c.startCall(a, env, func(p ledger.Progress) {
				_ = journals{&linkJournal{link: c.link}, journal}.record(context.Background(), Report{Progress: &p})
			})
		})
		return cmd, failed
	}
}

// environment returns the environment of a command's process.
func (c *Consumer) environment(a *ledger.Assignment, message string) []string {
	env := c.own
	if a.Env != "" {
		env = c.envs[a.Env].env
	}
	return ledger.Overlay(ledger.Overlay(env, a.Work.Env), identity(a, message))
}

// A snapshot holds the environment and the attributes of a submitter's process.
type snapshot struct {
	env        []string
	attributes *inherit.Attributes // nil: not known
}

func newSnapshot(packed string) (s snapshot) {
	var line string
	s.env, line = ledger.CutAttributes(ledger.DecodeEnv(packed))
	if a, err := inherit.Parse(line); err == nil { // else another version packed them
		s.attributes = &a
	}
	return s
}

// starter returns a function that starts processes for the task. It must be called on the
// main thread.
func (c *Consumer) starter(a *ledger.Assignment) startFunc {
	want := c.envs[a.Env].attributes
	return func(cmd *exec.Cmd) (narrowed string, err error) { return c.start.start(cmd, want) }
}

// identity returns the environment variables by which processes know the task they belong
// to.
func identity(a *ledger.Assignment, message string) map[string]string {
	return map[string]string{
		ledger.EnvTID:     a.TID,
		ledger.EnvEpoch:   fmt.Sprint(a.Epoch),
		ledger.EnvMessage: message,
		ledger.EnvContext: a.Root,
	}
}

// outputNotifier returns a function that notifies followers of the task's output.
func (c *Consumer) outputNotifier(a *ledger.Assignment) func() {
	outbox := ledger.OutboxOf(a.TID)
	return func() {
		if c.notifier != nil {
			_ = c.notifier.Notify(outbox)
		}
	}
}
