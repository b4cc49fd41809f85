package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/engine"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/retention"
)

// maxFailedStarts is how many consumers in a row may end before their hello, until the
// manager gives up.
const maxFailedStarts = 3

// A loop is a running manager: it runs tasks in consumers for its engine. All of it belongs
// to the goroutine of the engine.
type loop struct {
	*engine.Engine
	o            Options
	log          *slog.Logger
	self         proc.Identity
	record       *ledger.Manager
	lock         *lock
	lockChecked  time.Time // see checkLeadership
	watch        watch
	pool         *pool
	servers      map[proc.Identity]bool // those that are watched
	delayed      time.Time              // when the next delayed task is due, by the system's clock; zero: none waits
	services     services
	keeper       *retention.Keeper
	items        itemSource        // items for persistent tasks
	inputs       map[string]bool   // the input queues of waiting tasks that are listened to
	pipelines    map[string]bool   // those whose control queues are listened to
	envs         map[string]string // packed environments by their key
	describing   map[string]bool   // programs that are being asked for their functions
	damaged      map[string]bool   // the records that have been logged as damaged
	failedStarts int               // consumers in a row that ended before their hello
	ended        int               // tasks whose ends the next cycle writes
	problem      string            // why the last cycle could not be written; empty if it was
	own          ledger.Program    // the manager's own program
	stopping     bool
	draining     bool // its context has ended; the running tasks may end
	left         bool // it is recorded that the manager has left
	idleSince    time.Time
}

// newLoop returns a loop and its engine.
func newLoop(o Options) *loop {
	l := &loop{
		o: o, log: o.Log, pool: &pool{o: o, survivors: make(survivors)}, items: itemSource{listening: make(map[string]bool)},
		servers: make(map[proc.Identity]bool), inputs: make(map[string]bool), pipelines: make(map[string]bool),
		envs: make(map[string]string), describing: make(map[string]bool), damaged: make(map[string]bool),
	}
	l.Engine = engine.New(engine.Options{Dir: o.Dir, Broker: o.Broker, Log: o.Log, Quarantined: o.Quarantined, Events: 64}, l)
	l.own.Path = o.Executable
	l.own.Stamp, _ = function.StampOf(o.Executable) // else it is no program's
	l.pool.onReport, l.pool.onExit = l.onReport, l.onExit
	l.Stale[engine.Requests], l.Stale[engine.Delays] = true, true
	return l
}

// A task is one attempt at a task.
type task struct {
	tid   string
	epoch int
}

// run handles events until the manager exits.
func (l *loop) run(ctx context.Context, stop <-chan struct{}) error {
	if err := l.register(ctx); err != nil {
		return err
	}
	// The first consumer is started before a request comes: the manager was started because
	// one will.
	err := l.pool.grow(1)
	if err == nil {
		err = l.Run(ctx, stop)
	}
	switch {
	case l.left:
		return err
	case errors.Is(err, errReplaced), errors.Is(err, ledger.ErrSuperseded):
		l.log.Info("told to leave; running tasks continue")
		return l.leave()
	case errors.Is(err, broker.ErrGone):
		// Consumers check for themselves what has become of the store and of their tasks.
		l.log.Error("manager leaves", "err", err)
		return err
	}
	return errors.Join(err, l.leave())
}

// note adds a change to a task, for which nothing waits.
func (l *loop) note(what, tid string, write func(tx *broker.Tx, now time.Time) error) {
	l.Add(engine.Change{What: what + " of task", TID: tid, Write: write})
}

// onLost handles the loss of a task whose remaining processes have been killed.
func (l *loop) onLost(t task) error {
	delete(l.pool.survivors, t)
	l.markLost(t)
	return nil
}

// markLost records that a task is lost.
func (l *loop) markLost(t task) {
	l.note("note loss", t.tid, func(tx *broker.Tx, now time.Time) error { return ledger.MarkLost(tx, t.tid, t.epoch, now) })
}

// onReport handles a report of a consumer.
func (l *loop) onReport(c *consumer, r consumers.Report, now time.Time) error {
	of := c.task
	if r.Finished == nil {
		c.known = nil // any other report changes the record
	}
	switch {
	case r.Hello != nil:
		if r.Hello.Protocol != consumers.Protocol || r.Hello.Build != l.o.Build {
			return fmt.Errorf("consumer speaks protocol %d of build %q, this manager %d of %q: stop the manager and start it again",
				r.Hello.Protocol, r.Hello.Build, consumers.Protocol, l.o.Build)
		}
		c.self, l.failedStarts = r.Hello.Process, 0
		c.becomeIdle(now)
		l.o.Ready()
	case r.Started != nil, r.Paused != nil, r.Progress != nil, r.Used != nil:
		if r.Started != nil {
			c.own = *r.Started
		}
		if r.Paused != nil {
			c.orderWaiters().OnPaused(*r.Paused)
		}
		l.note("note a report", of.tid, func(tx *broker.Tx, now time.Time) error {
			return r.Record(tx, of.tid, of.epoch, now)
		})
	case r.Chunks != nil:
		l.addChunks(c, r.Chunks)
	case r.Item != nil:
		c.handed, c.due = r.Item.Seq, time.Time{}
		l.requestItem(c, r.Item)
	case r.Finished != nil:
		c.waiters.Ended(r.Finished.Outcome)
		l.UnwatchControl(of.tid)
		// The consumer can have the next task while this one is being recorded.
		l.addEnd(c, r.Finished)
		l.ended++
		c.becomeIdle(now)
	}
	return nil
}

// onExit handles the death of a consumer. The remaining processes of its task are killed in
// the background, before the task is recorded as lost.
func (l *loop) onExit(c *consumer, err error) error {
	c.waiters.Lost()
	l.pool.remove(c)
	switch c.state {
	case starting:
		// One may have been killed; a program that cannot become a consumer is no use.
		l.log.Warn("consumer ended before it said hello", "pid", c.self.PID, "err", err)
		if l.failedStarts++; l.failedStarts == maxFailedStarts {
			return fmt.Errorf("consumer ended before it said hello: %v (see crash.log)", err)
		}
		return l.pool.grow(1)
	case busy:
		t, consumer, own := c.task, c.self, c.own
		l.log.Warn("consumer died", "tid", t.tid, "pid", consumer.PID, "err", err)
		l.pool.survivors[t] = survivor{consumer, c.slotless}
		c.refuseItem()
		l.UnwatchControl(t.tid)
		l.watch(func(ctx context.Context, _ func(event)) event {
			sweep(ctx, t, consumer, own)
			return func() error { return l.onLost(t) }
		})
	}
	return nil
}

// Linger waits for more tasks to end where that is worth it.
func (l *loop) Linger() time.Duration {
	if l.Stale[engine.Requests] && worthWaiting(l.ended, l.pool.load().running, runtime.NumCPU()) {
		return groupWait
	}
	return 0
}

// Look reads what is due and assigns requests to consumers.
func (l *loop) Look(ctx context.Context, now time.Time) error {
	if err := l.checkLeadership(ctx, now); err != nil {
		return err
	}
	l.lookForControl()
	if l.stopping {
		for _, c := range l.pool.busy() {
			c.refuseItem()
		}
		return nil
	}
	if l.draining {
		return nil
	}
	err := errors.Join(l.keepServices(ctx, now), l.promote(ctx, now))
	if l.Stale[engine.Requests] {
		err = errors.Join(err, l.fill(ctx))
	}
	return errors.Join(err, l.findItems(ctx, now))
}

// Rest decides whether the manager is done, and when it has to look again.
func (l *loop) Rest(now time.Time, failed error) (wake time.Time, done bool, err error) {
	if l.ended, l.problem = 0, ""; failed != nil {
		// If it is uncertain whether tasks were dispatched, only the store tells: without a
		// manager every consumer checks there.
		for _, final := range []error{errReplaced, ledger.ErrSuperseded, broker.ErrGone, broker.ErrUncertain, broker.ErrClosed} {
			if errors.Is(failed, final) {
				return wake, true, failed
			}
		}
		l.problem = problemOf(failed, l.o.Dir)
	}
	if done, err = l.finished(now); done || err != nil {
		return wake, true, err
	}
	var due time.Time
	if !l.stopping && !l.draining {
		if l.Stale[engine.Requests] && l.pool.load().dispatchable() > 0 || l.Stale[engine.Items] {
			return now, false, nil // the cycle has made room, or a task may take items again
		}
		due = earliest(l.delayed, l.items.due, l.services.next)
	}
	return earliest(due, l.pool.retire(runtime.NumCPU(), now), l.pool.killStopped(now), idleUntil(l.idleSince, l.o.Lifetime)), false, nil
}

// drain dispatches no more tasks.
func (l *loop) drain() error {
	l.draining = true
	l.log.Info("told to end: wait for running tasks", "at most", l.o.Drain)
	return nil
}

// Stop asks every running task to stop, and dispatches no more.
func (l *loop) Stop(ctx context.Context) error {
	l.stopping = true
	for _, c := range l.pool.busy() {
		_ = c.link.Send(consumers.Order{End: consumers.RequestStop})
		c.expectStop(consumers.RequestStop, time.Now())
	}
	return l.stopSurvivors(ctx)
}

// finished reports whether the manager is done: because it was stopped and nothing runs any
// more, or because it has been without work for its lifetime.
func (l *loop) finished(now time.Time) (bool, error) {
	// What cannot be written now, consumers record when they can.
	written := len(l.Pending()) == 0 || l.stopping && l.problem != ""
	if l.draining && !l.stopping {
		return written && l.pool.load().running == 0, nil
	}
	if len(l.pool.busy()) > 0 || len(l.pool.survivors) > 0 || !written {
		l.idleSince = time.Time{}
		return false, nil
	}
	if l.stopping {
		// It waits until its consumers have exited.
		return len(l.Pending()) > 0 || l.pool.releaseAll() == 0, nil
	}
	if l.services.needed {
		l.idleSince = time.Time{}
		return false, nil
	}
	if l.idleSince.IsZero() {
		l.idleSince = now
	}
	if end := idleUntil(l.idleSince, l.o.Lifetime); end.IsZero() || now.Before(end) {
		return false, nil
	}
	err := l.leaveIdle()
	if !l.left {
		l.idleSince, l.Stale[engine.Requests] = now, true
	}
	return l.left, err
}
