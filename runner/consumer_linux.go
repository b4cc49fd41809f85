package runner

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

	spareWorker *command // a worker without work, or nil
	lastWorker  *worker  // the worker of the latest call
}

// Main is the life of a consumer process whose manager holds the other end of
// conn. It returns when there is no more to do, or an error that kept it from
// beginning. It must be called on the main goroutine.
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
		return nil // the manager is gone, and nobody else wants anything
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

// receive passes on what the manager orders.
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

// runTask takes one task from its assignment to its hand-off, and returns the next
// one if it has been assigned meanwhile.
func (c *Consumer) runTask(a *Assignment) (next *Assignment, err error) {
	if a.EnvBlock != nil {
		// One environment is enough: tasks that follow one another mostly come
		// from the same shell, and the manager sends it again when they do not.
		clear(c.envs)
		c.envs[a.Env] = newSnapshot(string(a.EnvBlock))
	}
	alone := &storeJournal{task: a, self: c.self}
	permit, gone, err := c.awaitPermit(alone)
	if permit == nil || err != nil {
		return nil, err
	}
	if c.notifier == nil {
		// Without bells followers see output a second later; the task runs.
		c.notifier, _ = notify.Open(filepath.Join(a.WeftDir, "bells"), nil)
	}
	a.showTitle(taskspec.StatusRunning)
	c.stopSpareWorker(a.Function, c.envs[a.Env].attributes)
	s := newTaskControl(c.orders, alone, gone)
	defer func() { next = s.close() }()
	ev := taskEvents{
		requests: s.requests,
		holds:    s.holds,
		lost:     s.lost,
		started:  func(id proc.Identity) { _ = c.link.Send(Report{Started: &id}) },
		paused: func(paused bool) {
			s.asked.Held(paused)
			if c.link.Send(Report{Paused: &paused}) != nil {
				_ = alone.notePaused(context.Background(), paused)
			}
		},
		used: func(ctx context.Context, u ledger.Usage) {
			// What is sent in the moment that the manager dies is lost, and may be.
			if c.link.Send(Report{Used: &u}) != nil {
				_ = alone.noteUsage(ctx, u)
			}
		},
		chunks: func(chunks *ledger.Chunks) error {
			if c.link.Send(Report{Chunks: chunks}) == nil && s.recorded(chunks.Seq) {
				return nil
			}
			return alone.chunks(chunks)
		},
		inbox: alone.inbox,
	}
	var h *ledger.HandOff
	var out *outputs
	if a.Persistent {
		h, out, err = c.newPersistentLoop(a, alone, s, ev).run()
	} else {
		h, out = execute(a, c.startFunc(a, alone, permit.Message), c.outputNotifier(a), ev)
	}
	if err != nil {
		return nil, err
	}
	s.asked.Ended(h.Outcome)
	defer out.discard()
	defer a.discardInput(h.Outcome)
	// An error of sending is the end of the link, which the session sees too.
	sent := c.link.Send(Report{Finished: h})
	if sent == nil && a.Function != nil {
		c.startSpareWorker(a)
	}
	select {
	case <-s.acked:
		return nil, nil
	case <-s.lost:
		return nil, alone.finish(h)
	}
}

// awaitPermit waits until the task may begin, and returns nil if it may not. gone
// says that the manager is gone.
func (c *Consumer) awaitPermit(alone *storeJournal) (p *Permit, gone bool, err error) {
	for o := range c.orders {
		if o.Start != nil || o.Revoke {
			return o.Start, false, nil
		}
	}
	// The manager died between the assignment and the permission. Whether the
	// reservation was committed stands in the store.
	p, err = alone.reserved()
	return p, true, err
}

// showTitle puts the task into the process title, if it wants that.
func (a *Assignment) showTitle(doing taskspec.Status) {
	if a.Title {
		title.Set(title.Format(a.Root, taskspec.ShortTID(a.TID), a.Name, string(doing), ""))
	}
}

// startFunc returns what starts the task's process, on the main thread.
func (c *Consumer) startFunc(a *Assignment, alone *storeJournal, message string) func() (*command, *taskspec.Outcome) {
	return func() (cmd *command, failed *taskspec.Outcome) {
		if a.Function == nil {
			env := c.environment(a, message)
			c.onMain(func() { cmd, failed = start(a, env, c.starter(a)) })
			return cmd, failed
		}
		env := maps.Clone(a.EnvOverlay)
		if env == nil {
			env = make(map[string]string)
		}
		maps.Copy(env, identity(a, message))
		c.onMain(func() {
			cmd, failed = c.startCall(a, env, func(p ledger.Progress) {
				if c.link.Send(Report{Progress: &p}) != nil {
					_ = alone.noteProgress(context.Background(), p)
				}
			})
		})
		return cmd, failed
	}
}

// environment is what the process of a command gets.
func (c *Consumer) environment(a *Assignment, message string) []string {
	env := c.own
	if a.Env != "" {
		env = c.envs[a.Env].env
	}
	return ledger.Overlay(ledger.Overlay(env, a.EnvOverlay), identity(a, message))
}

// A snapshot is what the process of a submitter had.
type snapshot struct {
	env        []string
	attributes *inherit.Attributes // nil: not known
}

func newSnapshot(packed string) (s snapshot) {
	var line string
	s.env, line = ledger.CutAttributes(ledger.DecodeEnv(packed))
	if a, err := inherit.Parse(line); err == nil { // else it is of a version that packs them otherwise
		s.attributes = &a
	}
	return s
}

// starter returns what starts processes for the task, on the main thread.
func (c *Consumer) starter(a *Assignment) startFunc {
	want := c.envs[a.Env].attributes
	return func(cmd *exec.Cmd) (narrowed string, err error) { return c.start.start(cmd, want) }
}

// identity is how a task's processes know whose they are.
func identity(a *Assignment, message string) map[string]string {
	return map[string]string{
		ledger.EnvTID:     a.TID,
		ledger.EnvEpoch:   fmt.Sprint(a.Epoch),
		ledger.EnvMessage: message,
		ledger.EnvContext: a.Root,
	}
}

// outputNotifier wakes those that follow the task's output.
func (c *Consumer) outputNotifier(a *Assignment) func() {
	outbox := ledger.OutboxOf(a.TID)
	return func() {
		if c.notifier != nil {
			_ = c.notifier.Notify(outbox)
		}
	}
}
