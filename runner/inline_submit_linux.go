package runner

import (
	"context"
	"errors"
	"sync/atomic"

	"weft/broker"
	"weft/internal/ledger"
)

// A localSubmit is a task that is submitted by the program which serves it. It comes to
// the server's loop, which begins it in its next transaction, with whatever else is
// to be written: many that come together share all that a transaction costs.
type localSubmit struct {
	prepared *ledger.Prepared
	decided  atomic.Bool // by the loop, or by who submits if that has changed its mind

	done    chan struct{}   // closed when what follows says what has become of it
	started *ledger.Started // nil: it has to queue
	err     error
}

// Submit submits a task that calls a function of this program, and begins it at
// once. It returns nil for one that has to queue: the program has no such function,
// or no slot is free, or a request waits. Cancelling ctx before the task is accepted
// withdraws it.
func (i *Inline) Submit(ctx context.Context, submission ledger.Submission) (*LocalRun, error) {
	s := i.server
	if s.o.Broker.Nested() {
		return nil, broker.ErrNested // the loop would wait for this goroutine
	}
	if s.o.Functions.Get(submission.Spec.Spec.FunctionTarget) == nil || !s.slots.reserve() {
		return nil, nil
	}
	draft, err := submission.Prepare(s.o.Root)
	if draft == nil || err != nil {
		s.releaseSlot()
		return nil, err
	}
	g := &localSubmit{prepared: draft, done: make(chan struct{})}
	s.emit(callEvent{submit: g, what: submitArrived})
	if err := s.await(ctx, g); err != nil {
		return nil, err
	}
	if g.started == nil {
		s.releaseSlot()
		return nil, nil
	}
	c := s.newCall(g.started.Job, g.started.Task)
	c.local = &LocalRun{task: g.started.Task, over: s.over, ended: make(chan struct{})}
	s.emit(callEvent{call: c, what: callStarted})
	go s.invoke(c)
	return c.local, nil
}

// await waits until it is known what has become of a guest.
func (s *server) await(ctx context.Context, g *localSubmit) error {
	select {
	case <-g.done:
	case <-s.over:
		if g.decided.CompareAndSwap(false, true) {
			return nil
		}
		<-g.done
	case <-ctx.Done():
		if g.decided.CompareAndSwap(false, true) {
			s.releaseSlot()
			return context.Cause(ctx)
		}
		<-g.done
	}
	if errors.Is(g.err, broker.ErrUncertain) && g.started != nil {
		if _, err := s.o.Broker.Record(context.Background(), ledger.Kind, g.started.Task.TID); err == nil {
			return nil
		}
	}
	if g.err != nil {
		s.releaseSlot()
	}
	return g.err
}

// releaseSlot gives back the slot of a guest.
func (s *server) releaseSlot() {
	s.slots.give(1)
	s.emit(callEvent{what: submitWithdrawn}) // it may wait for that
}

// accept lets a guest in that still wants to, unless the server leaves: then it has to
// queue for another one.
func (s *server) accept(g *localSubmit) {
	switch {
	case !g.decided.CompareAndSwap(false, true):
	case s.leaving:
		close(g.done)
	default:
		s.submits = append(s.submits, g)
	}
}

// resolve tells the first of the guests what has become of them.
func (s *server) resolve(first []*localSubmit, err error) {
	s.submits = s.submits[len(first):]
	for _, g := range first {
		g.err = err
		close(g.done)
	}
}
