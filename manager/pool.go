package manager

import (
	"context"
	"slices"
	"sync"
	"time"

	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/proc"
)

// An event handles something that happened outside the loop; nil means that nothing did. It
// writes nothing. An error ends the manager.
type event func() error

// A consumer is a process that runs tasks for this manager.
type consumer struct {
	link    *consumers.ManagerLink
	self    proc.Identity
	state   state
	since   time.Time // when it became idle
	env     string    // the key of the environment that it knows
	program string    // it has an idle worker of this program, or had the last

	// The fields below are those of its task, while it has one.
	task         task
	known        *ledger.Task        // as dispatched; nil once the record may have changed
	own          proc.Identity       // the task's own process, once it is known
	slotless     bool                // holds no slot
	inbox        string              // where its items come from, if it is persistent
	waitsForItem bool                // it waits for an item
	asks         *ledger.ItemRequest // its request for an item; nil: none is pending
	handed       int                 // the sequence number of its last hand-off of an item
	timeout      time.Duration       // 0: none
	grace        time.Duration
	due          time.Time        // when to check whether it is stopped, also while it starts or leaves; zero: never
	waiters      *control.Waiters // nil: no client waits at the control socket
}

// A state is what a consumer is doing.
type state int

const (
	starting state = iota // has not said hello
	idle
	busy    // has a task
	leaving // was told to exit
)

// A pool starts consumers and keeps the state of each. It belongs to the manager's loop.
type pool struct {
	o         Options
	watch     watch
	onReport  func(c *consumer, r consumers.Report, now time.Time) error
	onExit    func(c *consumer, err error) error // its process has ended, all its reports have been read
	consumers []*consumer
	survivors survivors
}

// watch runs fn in the background, with a context that ends with the loop. What fn returns,
// unless it is nil or ctx has ended, becomes an event of the loop; emit sends further
// events before that.
type watch func(fn func(ctx context.Context, emit func(event)) event)

// watcher returns the watch of a loop that receives events.
func watcher(ctx context.Context, background *sync.WaitGroup, events chan<- func() error) watch {
	emit := func(e event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	return func(fn func(context.Context, func(event)) event) {
		background.Go(func() {
			if e := fn(ctx, emit); e != nil {
				emit(e)
			}
		})
	}
}

// grow starts n consumers.
func (p *pool) grow(n int) error {
	for range n {
		c := &consumer{due: time.Now().Add(stoppedSlack)}
		wait, err := p.start(c)
		if err != nil {
			return err
		}
		p.consumers = append(p.consumers, c)
		p.watch(func(ctx context.Context, emit func(event)) event {
			for {
				r, err := c.link.Receive()
				if err != nil {
					// All its reports have been read. A consumer that has sent an invalid
					// one continues without a manager.
					c.link.Close()
					err := wait(ctx)
					return func() error { return p.onExit(c, err) }
				}
				emit(func() error { return p.onReport(c, r, time.Now()) })
			}
		})
	}
	return nil
}

// load returns how busy the manager is.
func (p *pool) load() load {
	l := load{slots: p.o.MaxTasks, running: p.survivors.holders()}
	for _, c := range p.consumers {
		switch {
		case c.state == starting:
			l.starting++
		case c.state == idle:
			l.idle++
		case c.state == busy && !c.slotless:
			l.running++
		}
	}
	return l
}

// busy returns the consumers that have a task.
func (p *pool) busy() []*consumer {
	return slices.DeleteFunc(slices.Clone(p.consumers), func(c *consumer) bool { return c.state != busy })
}

// idle returns the idle consumers, the one that is idle longest first.
func (p *pool) idle() []*consumer {
	waiting := slices.DeleteFunc(slices.Clone(p.consumers), func(c *consumer) bool { return c.state != idle })
	slices.SortStableFunc(waiting, func(a, b *consumer) int { return a.since.Compare(b.since) })
	return waiting
}

// becomeIdle makes a consumer idle.
func (c *consumer) becomeIdle(now time.Time) {
	c.state, c.since = idle, now
	c.task, c.own, c.known, c.slotless, c.due = task{}, proc.Identity{}, nil, false, time.Time{}
	c.inbox, c.waitsForItem, c.asks, c.handed, c.waiters = "", false, nil, 0, nil
}

// remove forgets a consumer that has died.
func (p *pool) remove(c *consumer) {
	p.consumers = slices.DeleteFunc(p.consumers, func(other *consumer) bool { return other == c })
	c.link.Close()
}

// retire stops idle consumers that are no longer needed, and returns when to call it again.
func (p *pool) retire(cores int, now time.Time) (next time.Time) {
	waiting := p.idle()
	since := make([]time.Time, len(waiting))
	for i, c := range waiting {
		since[i] = c.since
	}
	n, next := retired(since, cores, now)
	for _, c := range waiting[:n] {
		c.release()
	}
	return next
}

// releaseAll stops every consumer and returns how many have not exited yet.
func (p *pool) releaseAll() int {
	for _, c := range p.consumers {
		if c.state != leaving {
			c.release()
		}
	}
	return len(p.consumers)
}

// release stops an idle consumer.
func (c *consumer) release() {
	c.state, c.due = leaving, time.Now().Add(stoppedSlack)
	c.link.Close()
}

// close ends the links: idle consumers exit, busy ones continue without a manager.
func (p *pool) close() {
	for _, c := range p.consumers {
		c.link.Close()
	}
}

// assign assigns a job to the consumer. block is the job's packed environment.
func (p *pool) assign(c *consumer, j *ledger.Job, block string) error {
	a := j.Assignment
	a.WeftDir, a.MaxMessage, a.OutputMB, a.Durability = p.o.Dir, p.o.MaxMessage, p.o.OutputMB, p.o.Durability
	if j.Env != c.env {
		a.EnvBlock = []byte(block)
	}
	if err := c.link.Send(consumers.Order{Task: &a}); err != nil {
		return err
	}
	c.state, c.env, c.program = busy, j.Env, programOf(j)
	c.task, c.slotless, c.inbox = task{j.TID, j.Epoch}, j.Slotless, a.Inbox
	c.timeout, c.grace, c.due = a.Work.Timeout, a.Work.Grace(), time.Time{}
	return nil
}
