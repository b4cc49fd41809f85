package runner

import (
	"context"
	"errors"
	"sync/atomic"

	"weft/broker"
	"weft/internal/ledger"
)

// A guest is a task that is submitted by the program which serves it. It comes to
// the server's loop, which begins it in its next transaction, with whatever else is
// to be written: many that come together share all that a transaction costs.
type guest struct {
	draft *ledger.Draft
	taken atomic.Bool // by the loop, or by who submits if that has changed its mind

	known chan struct{} // closed when what follows says what has become of it
	begun *ledger.Begun // nil: it has to queue
	err   error
}

// Submit submits a task that calls a function of this program, and begins it at
// once. It returns nil for one that has to queue: the program has no such function,
// or no slot is free, or a request waits. Cancelling ctx before the task is accepted
// withdraws it.
func (i *Inline) Submit(ctx context.Context, submission ledger.Submission) (*Visit, error) {
	s := i.server
	if broker.Nested(s.o.Broker) {
		return nil, broker.ErrNested // the loop would wait for this goroutine
	}
	if s.o.Functions.Get(submission.Spec.Spec.FunctionTarget) == nil || !s.slots.reserve() {
		return nil, nil
	}
	draft, err := submission.Draft(s.o.Root)
	if draft == nil || err != nil {
		s.leave()
		return nil, err
	}
	g := &guest{draft: draft, known: make(chan struct{})}
	s.emit(callEvent{guest: g, what: guestCame})
	if err := s.attend(ctx, g); err != nil {
		return nil, err
	}
	if g.begun == nil {
		s.leave()
		return nil, nil
	}
	c := s.newCall(g.begun.Job, g.begun.Task)
	c.visit = &Visit{task: g.begun.Task, over: s.over, ended: make(chan struct{})}
	s.emit(callEvent{call: c, what: callBegun})
	go s.invoke(c)
	return c.visit, nil
}

// attend waits until it is known what has become of a guest.
func (s *server) attend(ctx context.Context, g *guest) error {
	select {
	case <-g.known:
	case <-s.over:
		if g.taken.CompareAndSwap(false, true) {
			return nil
		}
		<-g.known
	case <-ctx.Done():
		if g.taken.CompareAndSwap(false, true) {
			s.leave()
			return context.Cause(ctx)
		}
		<-g.known
	}
	if errors.Is(g.err, broker.ErrUncertain) && g.begun != nil {
		if _, err := s.o.Broker.Record(context.Background(), ledger.Kind, g.begun.Task.TID); err == nil {
			return nil
		}
	}
	if g.err != nil {
		s.leave()
	}
	return g.err
}

// leave gives back the slot of a guest.
func (s *server) leave() {
	s.slots.give(1)
	s.emit(callEvent{what: guestLeft}) // it may wait for that
}

// admit lets a guest in that still wants to, unless the server leaves: then it has to
// queue for another one.
func (s *server) admit(g *guest) {
	switch {
	case !g.taken.CompareAndSwap(false, true):
	case s.leaving:
		close(g.known)
	default:
		s.guests = append(s.guests, g)
	}
}

// answer tells the first of the guests what has become of them.
func (s *server) answer(first []*guest, err error) {
	s.guests = s.guests[len(first):]
	for _, g := range first {
		g.err = err
		close(g.known)
	}
}
