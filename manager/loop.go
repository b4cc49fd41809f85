package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/runner"
)

// A manager polls its queues after minPoll without an event, and at growing intervals up to
// maxPoll: a notification may be missed, rarely.
const (
	minPoll = time.Second
	maxPoll = 5 * time.Second
	// maxRetry is the longest pause before a failed write is retried.
	maxRetry = time.Second
	// maxFailedStarts is how many consumers in a row may end before their hello, until the
	// manager gives up.
	maxFailedStarts = 3
)

// A loop is a running manager. All of it belongs to one goroutine.
type loop struct {
	o              Options
	log            *slog.Logger
	self           proc.Identity
	record         *ledger.Manager
	lock           *lock
	lockChecked    time.Time // see checkLeadership
	watch          watch
	events         <-chan event
	pending        changes                // what the next cycle writes
	servers        map[proc.Identity]bool // those that are watched
	foundServers   []*ledger.Server       // found by the last cycle
	endedPipelines []string               // found by the last cycle
	delayed        *broker.Waiter         // notified of delayed tasks
	delays         delays
	changed        *broker.Waiter // notified when services have ended, or manifests are to be read
	services       services
	failedStarts   int     // consumers in a row that ended before their hello
	orders         []order // from the control socket, to be applied
	problem        string  // why the last cycle could not be written; empty if it was
	stopping       bool
	idleSince      time.Time
	dispatcher
}

// A task is one attempt at a task.
type task struct {
	tid   string
	epoch int
}

// run handles events until the manager exits.
func (l *loop) run(ctx context.Context, requests *broker.Waiter, stop <-chan struct{}) error {
	if err := l.register(ctx); err != nil {
		return err
	}
	// The first consumer is started before a request comes: the manager was started because
	// one will.
	if err := l.pool.grow(1); err != nil {
		return errors.Join(err, l.leave())
	}
	l.requestsPending = true
	poll, retry := minPoll, time.Duration(0)
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for {
		var in inbox
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), l.leave())
		case <-stop:
			stop = nil
			if err := l.beginStop(ctx); err != nil {
				l.log.Error("stop tasks", "err", err)
			}
		case e := <-l.events:
			if err := l.gather(e); err != nil {
				return errors.Join(err, l.leave())
			}
			poll = minPoll
		case <-requests.C():
			l.requestsPending, in.manager, poll = true, true, minPoll
		case <-l.delayed.C():
			l.delays.stale, poll = true, minPoll
		case <-l.changed.C():
			l.services.stale, poll = true, minPoll
		case <-l.controls.C():
			in.tasks, poll = true, minPoll
		case <-l.items.inboxes.C():
			l.items.stale, poll = true, minPoll
		case <-timer.C:
			l.requestsPending, l.delays.stale, l.items.stale, in.manager, in.tasks = true, true, true, true, true
			poll = min(2*poll, maxPoll)
		}
		err := l.checkLeadership(ctx, time.Now())
		if orders := l.orders; err == nil && len(orders) > 0 {
			l.orders = nil
			err = l.apply(ctx, orders)
		}
		if err == nil {
			err = l.cycle(ctx, in)
		}
		switch {
		case err == nil:
			retry, l.problem = 0, ""
		case errors.Is(err, errReplaced), errors.Is(err, ledger.ErrSuperseded):
			l.log.Info("told to leave; running tasks continue")
			return l.leave()
		case errors.Is(err, broker.ErrGone):
			// Consumers check for themselves what has become of the store and of their
			// tasks.
			l.log.Error("manager leaves", "err", err)
			return err
		case errors.Is(err, broker.ErrUncertain):
			// Only the store tells whether tasks were dispatched. Without a manager every
			// consumer checks there.
			return errors.Join(err, l.leave())
		case ctx.Err() == nil:
			retry, l.problem = min(max(10*time.Millisecond, 2*retry), maxRetry), problemOf(err, l.o.Dir)
			l.log.Error("write cycle", "err", err, "retry", retry)
		}
		now := time.Now()
		if done, err := l.finished(now); done || err != nil {
			return err
		}
		pause := poll
		switch {
		case retry > 0:
			pause = retry
		case l.requestsPending && !l.stopping && l.pool.load().dispatchable() > 0:
			pause = 0 // the cycle has made room
		case l.items.stale && !l.stopping:
			pause = 0 // a task may take items again
		}
		next := earliest(now.Add(pause), l.delays.wake(l.stopping), l.items.wake(l.stopping), l.services.wake(l.stopping), l.pool.retire(runtime.NumCPU(), now), l.pool.killStopped(now), idleUntil(l.idleSince, l.o.Lifetime))
		timer.Reset(time.Until(next))
	}
}

// inbox says where messages may have arrived.
type inbox struct {
	manager bool // control of the manager
	tasks   bool // control of running tasks
}

// gather handles an event and those that arrive meanwhile, or are worth waiting for.
func (l *loop) gather(e event) error {
	var over <-chan time.Time
	for {
		if err := l.onEvent(e); err != nil {
			return err
		}
		select {
		case e = <-l.events:
			continue
		default:
		}
		if !l.requestsPending || !worthWaiting(len(l.pending.finished), l.pool.load().running, runtime.NumCPU()) {
			return nil
		}
		if over == nil {
			over = time.After(groupWait)
		}
		select {
		case e = <-l.events:
		case <-over:
			return nil
		}
	}
}

// onEvent handles an event. It writes nothing: see cycle.
func (l *loop) onEvent(e event) error {
	now := time.Now()
	switch e := e.(type) {
	case reported:
		return l.onReport(e.from, e.what, now)
	case died:
		return l.onExit(e)
	case orderReceived:
		l.takeOrder(e)
	case programDescribed:
		l.onDescribed(e)
	case serverDied:
		delete(l.servers, e.server.Process)
		l.pending.note("death of a server", func(tx *broker.Tx, now time.Time) error { return ledger.LoseServer(tx, e.server, now) })
	case lost:
		delete(l.pool.survivors, e.task)
		l.pending.lost = append(l.pending.lost, e.task)
	}
	return nil
}

// onReport handles a report of a consumer.
func (l *loop) onReport(c *consumer, r runner.Report, now time.Time) error {
	of := c.task
	if r.Finished == nil {
		c.known = nil // any other report changes the record
	}
	switch {
	case r.Hello != nil:
		if r.Hello.Protocol != runner.Protocol || r.Hello.Build != l.o.Build {
			return fmt.Errorf("consumer speaks protocol %d of build %q, this manager %d of %q: stop the manager and start it again",
				r.Hello.Protocol, r.Hello.Build, runner.Protocol, l.o.Build)
		}
		c.self, l.failedStarts = r.Hello.Process, 0
		c.becomeIdle(now)
		l.o.Ready()
	case r.Started != nil:
		c.own = *r.Started
		l.pending.note("process of task "+of.tid, func(tx *broker.Tx, _ time.Time) error {
			return ledger.NoteProcess(tx, of.tid, of.epoch, *r.Started)
		})
	case r.Paused != nil:
		c.orderWaiters().Held(*r.Paused)
		l.pending.note("pause of task "+of.tid, func(tx *broker.Tx, _ time.Time) error {
			return ledger.NotePaused(tx, of.tid, of.epoch, *r.Paused)
		})
	case r.Progress != nil:
		l.pending.note("progress of task "+of.tid, func(tx *broker.Tx, _ time.Time) error {
			return ledger.NoteProgress(tx, of.tid, of.epoch, *r.Progress)
		})
	case r.Used != nil:
		l.pending.note("usage of task "+of.tid, func(tx *broker.Tx, now time.Time) error {
			return ledger.NoteUsage(tx, of.tid, of.epoch, *r.Used, now)
		})
	case r.Chunks != nil:
		l.pending.chunks = append(l.pending.chunks, chunks{c, r.Chunks})
	case r.Item != nil:
		l.pending.items = append(l.pending.items, itemRequest{from: c, request: ledger.ItemRequest{TID: of.tid, Epoch: of.epoch, Done: r.Item}})
		c.handed, c.due = r.Item.Seq, time.Time{}
	case r.Finished != nil:
		c.waiters.Ended(r.Finished.Outcome)
		// The consumer can have the next task while this one is being recorded.
		l.pending.finished = append(l.pending.finished, finished{c, r.Finished, c.known})
		c.becomeIdle(now)
	}
	return nil
}

// onExit handles the death of a consumer. The remaining processes of its task are killed in
// the background, before the task is recorded as lost.
func (l *loop) onExit(e died) error {
	c := e.consumer
	c.waiters.Lost()
	l.pool.remove(c)
	switch c.state {
	case starting:
		// One may have been killed; a program that cannot become a consumer is no use.
		l.log.Warn("consumer ended before it said hello", "pid", c.self.PID, "err", e.err)
		if l.failedStarts++; l.failedStarts == maxFailedStarts {
			return fmt.Errorf("consumer ended before it said hello: %v (see crash.log)", e.err)
		}
		return l.pool.grow(1)
	case busy:
		t, consumer, own := c.task, c.self, c.own
		l.log.Warn("consumer died", "tid", t.tid, "pid", consumer.PID, "err", e.err)
		l.pool.survivors[t] = survivor{consumer, c.slotless}
		l.pending.refuseItems(c)
		l.watch(func(ctx context.Context, _ func(event)) event {
			sweep(ctx, t, consumer, own)
			return lost{t}
		})
	}
	return nil
}

// beginStop asks every running task to stop, and dispatches no more.
func (l *loop) beginStop(ctx context.Context) error {
	l.stopping = true
	for _, c := range l.pool.busy() {
		_ = c.link.Send(runner.Order{End: runner.RequestStop})
		c.expectStop(runner.RequestStop, time.Now())
	}
	return l.stopSurvivors(ctx)
}

// finished reports whether the manager has left: because it was stopped and nothing runs
// any more, or because it has been without work for its lifetime.
func (l *loop) finished(now time.Time) (bool, error) {
	// What cannot be written now, consumers record when they can.
	written := l.pending.empty() || l.stopping && l.problem != ""
	if len(l.pool.busy()) > 0 || len(l.pool.survivors) > 0 || !written {
		l.idleSince = time.Time{}
		return false, nil
	}
	if l.stopping {
		// It waits until its consumers have exited.
		if l.pending.empty() && l.pool.releaseAll() > 0 {
			return false, nil
		}
		return true, l.leave()
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
	left, err := l.leaveIdle()
	if !left {
		l.idleSince, l.requestsPending = now, true
	}
	return left, err
}
