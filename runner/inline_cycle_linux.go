package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// An inlineCycle is what a server writes in one transaction, and what that returns.
type inlineCycle struct {
	progress []*call
	ended    []*call
	claims   []claim
	submits  []*localSubmit
	polled   []*call // whose control messages are to be read
	orders   []inlineOrder
}

// A claim is a job that the server wants to run.
type claim struct {
	job  *ledger.Job
	task *ledger.Task // nil: the task is gone, or refused
}

// An inlineOrder is what a control message asks of a call.
type inlineOrder struct {
	call *call
	what ledger.Command
}

func (t *inlineCycle) empty() bool {
	return len(t.progress)+len(t.ended)+len(t.claims)+len(t.submits)+len(t.polled) == 0
}

// gatherCycle collects what there is to write. It takes slots for what it claims.
func (s *server) gatherCycle(claiming bool) *inlineCycle {
	t := &inlineCycle{progress: s.progress, ended: s.ended, submits: s.submits}
	for _, c := range t.ended {
		if h := c.handOff; !h.Taken {
			h.Taken = h.Takeable(c.task) && c.local.wantsResult()
		}
	}
	if claiming {
		for _, j := range s.ahead[:s.slots.take(len(s.ahead))] {
			if j.Refused() == "" && s.o.Functions.Get(j.Function.Name) == nil {
				j.Refuse(fmt.Sprintf("function %s: its program has no such function any more", j.Function.Name))
			}
			t.claims = append(t.claims, claim{job: j})
		}
	}
	if s.controlPending {
		for _, c := range s.calls {
			if c.listening && !c.over() {
				t.polled = append(t.polled, c)
			}
		}
	}
	return t
}

// singles splits the cycle, so that each change can be tried on its own.
func (t *inlineCycle) singles() (all []*inlineCycle) {
	for i := range t.ended {
		all = append(all, &inlineCycle{ended: t.ended[i : i+1]})
	}
	for i := range t.claims {
		all = append(all, &inlineCycle{claims: t.claims[i : i+1]})
	}
	for i := range t.submits {
		all = append(all, &inlineCycle{submits: t.submits[i : i+1]})
	}
	return append(all, &inlineCycle{polled: t.polled})
}

// write commits the cycle and applies its effects. A change that cannot be written although
// the store works is logged and given up, so that one bad task does not block the others.
func (s *server) write(t *inlineCycle) error {
	err := s.commit(t)
	if err == nil {
		s.applyCommitted(t)
		return nil
	}
	for _, lasting := range []error{ledger.ErrChanged, broker.ErrUncertain, broker.ErrFull, broker.ErrUnwritable, broker.ErrBusy, broker.ErrClosed, broker.ErrGone} {
		if errors.Is(err, lasting) {
			return err
		}
	}
	s.o.Log.Warn("write cycle failed, now one change at a time", "err", err)
	for _, single := range t.singles() {
		err := s.commit(single)
		switch {
		case err == nil:
		case len(single.submits) > 0:
			s.resolve(single.submits, err)
			single.submits = nil
		default:
			s.o.Log.Error("give up change", "err", err)
		}
		s.applyCommitted(single)
	}
	s.progress = nil
	return nil
}

// commit writes the cycle in one transaction. The function may run twice, so it resets
// everything it sets.
func (s *server) commit(t *inlineCycle) error {
	now := time.Now()
	return s.o.Broker.Update(context.Background(), func(tx *broker.Tx) error {
		t.orders = nil
		for _, c := range t.progress {
			if err := ledger.NoteProgress(tx, c.task.TID, c.task.Epoch, *c.progress); err != nil {
				return fmt.Errorf("note progress of task %s: %w", c.task.TID, err)
			}
		}
		for _, c := range t.ended {
			var err error
			if c.recordedTask, err = ledger.FinishTask(tx, c.handOff, c.known); err != nil && !errors.Is(err, ledger.ErrStale) {
				return fmt.Errorf("finish task %s: %w", c.task.TID, err)
			}
		}
		for i := range t.claims {
			if err := t.claims[i].write(tx, s.record, now); err != nil {
				return err
			}
		}
		for _, g := range t.submits {
			var err error
			if g.started, err = g.prepared.Start(tx, s.record.Process, now); err != nil {
				return err
			}
		}
		for _, c := range t.polled {
			commands, err := ledger.ReadTaskControl(tx, c.task.TID, now, ledger.Controls(c.task)...)
			if err != nil {
				return fmt.Errorf("read control messages of task %s: %w", c.task.TID, err)
			}
			for _, what := range commands {
				t.orders = append(t.orders, inlineOrder{c, what})
			}
		}
		return nil
	})
}

// write claims the job for the server, unless another server has it.
func (c *claim) write(tx *broker.Tx, by *ledger.Server, now time.Time) (err error) {
	if c.job.Refused() != "" {
		if err = ledger.Refuse(tx, c.job, now); err != nil {
			return fmt.Errorf("refuse task %s: %w", c.job.TID, err)
		}
		return nil
	}
	if c.task, err = ledger.Dispatch(tx, c.job, by.Process, now); err != nil {
		return fmt.Errorf("claim task %s: %w", c.job.TID, err)
	}
	return nil
}

// applyCommitted applies the effects of a committed cycle.
func (s *server) applyCommitted(t *inlineCycle) {
	s.resolve(t.submits, nil)
	s.progress = s.progress[len(t.progress):]
	s.ended = s.ended[len(t.ended):]
	for _, c := range t.ended {
		c.recorded = true
		c.out.discard()
		if c.listening {
			s.controls.Remove(append(ledger.Controls(c.task), ledger.QueuesOf(c.task.TID).ControlIn)...)
		}
		if c.answer != nil {
			s.forget(c)
		}
		c.local.end(c.recordedTask, c.handOff.Result) // after the slot is free: the submitter may want it again
	}
	if len(t.claims) > 0 {
		s.ahead = s.ahead[len(t.claims):]
	}
	for _, claimed := range t.claims {
		if claimed.task == nil {
			s.slots.give(1)
			continue
		}
		s.startCall(claimed.job, claimed.task)
	}
	if len(t.polled) > 0 {
		s.controlPending = false
	}
	for _, o := range t.orders {
		o.call.known = nil // the record has changed
		s.request(o.call, OrderFor(o.what).End)
	}
}
