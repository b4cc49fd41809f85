// Package engine is the loop of those who run tasks: of a manager, whose tasks run in
// processes, and of a program that runs functions inside itself. Both do the same over and
// over: wait until something happens, handle the events that have gathered, look in the
// store for what else is to be done, write all changes in one transaction, and tell those
// whom they concern. What runs the tasks is the [Executor].
package engine

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
)

// The pauses before a failed cycle is tried again double from minRetry to maxRetry.
const (
	minRetry = 10 * time.Millisecond
	maxRetry = time.Second
)

// A Topic is something that an engine is notified of.
type Topic int

// The topics. A topic that has no waiter is not listened to.
const (
	Requests Topic = iota
	Manager        // control messages of the manager
	Control        // control messages of running tasks
	Delays         // delayed tasks
	Services       // services that have ended, and whether the project is trusted
	Items          // items for persistent tasks
	topics
)

// An Executor runs the tasks of an engine. The goroutine of [Engine.Run] calls its methods.
type Executor interface {
	// Linger returns how long to wait for further events, so that they share a
	// transaction: not at all, or until the next [Yield].
	Linger() time.Duration
	// Order applies an order from the control socket. done receives the last answer; nil
	// means that the order is for another process.
	Order(ctx context.Context, o control.Order) (done <-chan control.Answer, err error)
	// Command applies a control message from the store to the task tid.
	Command(ctx context.Context, tid string, c ledger.Command) error
	// Stop tells the running tasks to stop. After that no task is started.
	Stop(ctx context.Context) error
	// Look reads in the store what is stale, and adds the changes that follow. An error
	// does not prevent the others from being written.
	Look(ctx context.Context, now time.Time) error
	// Rest is called after each cycle; failed is why it has not been written. It returns
	// when to look again unless something happens before, where a time that has come means
	// at once, or that the engine is done, and with what error.
	Rest(now time.Time, failed error) (wake time.Time, done bool, err error)
}

// Yield is the answer of [Executor.Linger] to wait only for goroutines that are about to
// send an event.
const Yield time.Duration = -1

// Options configure an engine.
type Options struct {
	Dir         string // the project's folder
	Broker      *broker.Broker
	Log         *slog.Logger
	Quarantined func() broker.ID // see [Engine.Quarantined]; nil means that the project is trusted
	Events      int              // how many events may wait
}

// An Engine is the loop of an [Executor]. Use [New] to make one. All of it but Events
// belongs to the goroutine of [Engine.Run].
type Engine struct {
	o Options
	x Executor
	// Events receives what has happened, as functions that handle it. They write nothing:
	// what has changed they give to [Engine.Add]. An error ends the engine.
	Events chan func() error
	// Stale are the topics that have to be looked at again. The executor resets them,
	// except Control.
	Stale [topics]bool
	// Waiters are notified of the topics.
	Waiters [topics]*broker.Waiter
	// Ahead are the oldest requests, read and prepared before they can be started: one
	// query for many is cheaper. The transaction that starts one checks that it is still
	// valid.
	Ahead []*ledger.Job
	// Quarantined is the last id of the requests that must not run because their origin is
	// not trusted; 0 if there are none.
	Quarantined broker.ID

	server   *control.Server
	orders   chan order
	watched  map[string][]string // the named control queues of the watched tasks, by TID
	unread   []string            // watched tasks whose control messages have not been read
	commands []command           // to be applied after the cycle
	pending  []Change            // to be written
	writing  []Change            // its memory is used again
	changed  bool                // what was read ahead has changed: read it again at once
	retry    time.Duration       // the last pause after a failed cycle; 0 if it was written
}

// New returns an engine that does nothing before [Engine.Run]. The caller closes it.
func New(o Options, x Executor) *Engine {
	return &Engine{o: o, x: x, Events: make(chan func() error, o.Events), orders: make(chan order), watched: make(map[string][]string)}
}

// Listen opens the waiter of a topic, for these queues.
func (e *Engine) Listen(t Topic, queues ...string) (err error) {
	e.Waiters[t], err = e.o.Broker.Listen(queues...)
	return err
}

// Close closes the waiters and the control socket.
func (e *Engine) Close() {
	e.server.Close()
	for _, w := range e.Waiters {
		if w != nil {
			w.Close()
		}
	}
}

// Run handles events until the executor is done, or ctx ends: then it returns the cause of
// ctx. A value from stop, which may be closed, stops the running tasks.
func (e *Engine) Run(ctx context.Context, stop <-chan struct{}) (err error) {
	defer func() {
		left := e.pending
		e.pending = nil
		e.keep(left, err)
	}()
	if e.server, err = control.Serve(e.o.Dir, e.takeOrder); err != nil {
		e.o.Log.Warn("orders come through the store only", "err", err)
	}
	var notified [topics]<-chan struct{}
	for t, w := range e.Waiters {
		if w != nil {
			notified[t] = w.C()
		}
	}
	atOnce := make(chan struct{})
	close(atOnce)
	again := atOnce
	poll := broker.MinPoll
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for {
		var failed error
		topic := topics
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stop:
			stop = nil
			if err := e.x.Stop(ctx); err != nil {
				e.o.Log.Error("stop tasks", "err", err)
			}
		case event := <-e.Events:
			if err := e.gather(event); err != nil {
				return err
			}
			poll = broker.MinPoll
		case o := <-e.orders:
			var done <-chan control.Answer
			done, failed = e.x.Order(ctx, o.what)
			o.reply <- done
		case <-again:
		case <-timer.C:
			for t := range e.Stale {
				e.Stale[t] = true
			}
			poll = min(2*poll, broker.MaxPoll)
		case <-notified[Requests]:
			topic = Requests
		case <-notified[Manager]:
			topic = Manager
		case <-notified[Control]:
			topic = Control
		case <-notified[Delays]:
			topic = Delays
		case <-notified[Services]:
			topic = Services
		case <-notified[Items]:
			topic = Items
		}
		if topic != topics {
			e.Stale[topic], poll = true, broker.MinPoll
		}
		if failed == nil {
			failed = e.cycle(ctx)
		}
		now := time.Now()
		wake, done, err := e.x.Rest(now, failed)
		if done || err != nil {
			return err
		}
		next := now.Add(poll)
		if failed == nil {
			e.retry = 0
			if !wake.IsZero() && wake.Before(next) {
				next = wake
			}
		} else if ctx.Err() == nil {
			e.retry = min(max(minRetry, 2*e.retry), maxRetry)
			next = now.Add(e.retry)
			e.o.Log.Error("write cycle", "err", failed, "retry", e.retry)
		}
		if again = nil; failed == nil && (e.changed || !next.After(now)) {
			again = atOnce
		}
		timer.Reset(next.Sub(now))
	}
}

// gather handles an event and those that arrive meanwhile, or are worth waiting for.
func (e *Engine) gather(event func() error) error {
	var over <-chan time.Time // the end of the waiting; nil until it begins
	for event != nil {
		if err := event(); err != nil {
			return err
		}
		if event = e.arrived(); event != nil {
			continue
		}
		switch linger := e.x.Linger(); {
		case linger == 0:
			return nil
		case linger == Yield:
			runtime.Gosched()
			event = e.arrived()
			continue
		case over == nil:
			over = time.After(linger)
		}
		select {
		case event = <-e.Events:
		case <-over:
		}
	}
	return nil
}

// arrived returns an event that has arrived; nil if there is none.
func (e *Engine) arrived() func() error {
	select {
	case event := <-e.Events:
		return event
	default:
		return nil
	}
}

// cycle looks for what is to be done, writes all changes and applies the commands that were
// read.
func (e *Engine) cycle(ctx context.Context) error {
	e.changed = false
	err := e.x.Look(ctx, time.Now())
	e.readControl()
	err = errors.Join(err, e.write(ctx))
	commands := e.commands
	e.commands = nil
	for _, c := range commands {
		err = errors.Join(err, e.x.Command(ctx, c.tid, c.what))
	}
	return err
}

// Exhausted reports whether the pause before the last cycle was the longest.
func (e *Engine) Exhausted() bool { return e.retry == maxRetry }

// LookAhead reads requests ahead, unless some are, or none can be waiting.
func (e *Engine) LookAhead(read func() ([]*ledger.Job, error)) (err error) {
	if !e.Stale[Requests] || len(e.Ahead) > 0 {
		return nil
	}
	e.Ahead, err = read()
	e.Stale[Requests] = err != nil || len(e.Ahead) > 0
	return err
}

// LookAgain drops what was read ahead, so that it is read again.
func (e *Engine) LookAgain() { e.Ahead, e.Stale[Requests] = nil, true }

// UpdateTrust updates Quarantined and reports whether it has changed.
func (e *Engine) UpdateTrust() bool {
	before := e.Quarantined
	if e.o.Quarantined != nil {
		e.Quarantined = e.o.Quarantined()
	}
	if e.Quarantined == before {
		return false
	}
	e.LookAgain()
	return true
}
