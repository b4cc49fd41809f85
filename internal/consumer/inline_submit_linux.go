package consumer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// A localSubmit is a task that is submitted by the program that serves it. The server's
// loop starts it in its next transaction, together with all else that is to be written:
// many that arrive together share the cost of one transaction.
type localSubmit struct {
	prepared *ledger.Prepared
	decided  atomic.Bool // set by the loop, or by the submitter to withdraw

	done    chan struct{}   // closed when the fields below are set
	started *ledger.Started // nil: the task has to queue; without meaning if err is not nil
	err     error
}

// Submit submits a task that calls a function of this program, and starts it at once. It
// returns nil if the task has to queue: the program has no such function, or no slot is
// free, or a request waits. Cancelling ctx before the task is accepted withdraws it.
func (i *Inline) Submit(ctx context.Context, submission ledger.Submission) (*LocalRun, error) {
	s := i.server
	if s.o.Broker.Nested() {
		return nil, broker.ErrNested // the loop would wait for this goroutine
	}
	if s.o.Functions.Get(submission.Spec.FunctionTarget) == nil || !s.slots.reserve() {
		return nil, nil
	}
	draft, err := submission.Prepare(s.o.Root, s.o.MaxMessage)
	if draft == nil || err != nil {
		s.releaseSlot()
		return nil, err
	}
	g := &localSubmit{prepared: draft, done: make(chan struct{})}
	s.emit(func() error { return s.accept(g) })
	if err := s.await(ctx, g); err != nil {
		return nil, err
	}
	if g.started == nil {
		s.releaseSlot()
		return nil, nil
	}
	c := s.newCall(g.started.Job, g.started.Task)
	c.local = &LocalRun{task: g.started.Task, over: s.over, ended: make(chan struct{})}
	s.emit(func() error { s.track(c); return nil })
	go s.invoke(c)
	return c.local, nil
}

// await waits for the outcome of a local submit.
func (s *server) await(ctx context.Context, l *localSubmit) error {
	select {
	case <-l.done:
	case <-s.over:
		if l.decided.CompareAndSwap(false, true) {
			return nil
		}
		<-l.done
	case <-ctx.Done():
		if l.decided.CompareAndSwap(false, true) {
			s.releaseSlot()
			return context.Cause(ctx)
		}
		<-l.done
	}
	if errors.Is(l.err, broker.ErrUncertain) && l.started != nil {
		if _, err := s.o.Broker.Record(context.Background(), ledger.Kind, l.started.Task.TID); err == nil {
			return nil
		}
	}
	if l.err != nil {
		s.releaseSlot()
	}
	return l.err
}

// releaseSlot frees the slot of a local submit.
func (s *server) releaseSlot() {
	s.slots.give(1)
	s.emit(func() error { return nil }) // the loop may be waiting for a free slot
}

// accept queues a local submit for the next cycle, unless it was withdrawn or the server is
// leaving: then the task has to queue for another server.
func (s *server) accept(l *localSubmit) error {
	switch {
	case !l.decided.CompareAndSwap(false, true):
	case s.leaving != NoRequest:
		close(l.done)
	default:
		s.addStart(l)
	}
	return nil
}

// addStart has the submit written.
func (s *server) addStart(l *localSubmit) {
	written := func(err error) {
		l.err = err
		close(l.done)
	}
	s.Add(engine.Change{
		Write: func(tx *broker.Tx, now time.Time) (err error) {
			l.started, err = l.prepared.Start(tx, s.record.Process, now)
			return err
		},
		Written: written,
		Failed: func(err error) bool {
			if errors.Is(err, ledger.ErrChanged) {
				return true
			}
			written(err)
			return false
		},
	})
}
