package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// An inlineTurn is what a server writes in one transaction, and what that says.
type inlineTurn struct {
	progress []*call
	ended    []*call
	claims   []claim
	guests   []*guest
	asked    []*call // whose control messages are to be read
	orders   []inlineOrder
}

// claim is a job that the server wants to carry out.
type claim struct {
	job  *ledger.Job
	task *ledger.Task // nil: it is gone, or refused
}

// inlineOrder is what a control message asks of a call.
type inlineOrder struct {
	call *call
	what ledger.Command
}

func (t *inlineTurn) empty() bool {
	return len(t.progress)+len(t.ended)+len(t.claims)+len(t.guests)+len(t.asked) == 0
}

// next is what there is to write. It takes slots for what it claims.
func (s *server) next(claiming bool) *inlineTurn {
	t := &inlineTurn{progress: s.progress, ended: s.ended, guests: s.guests}
	for _, c := range t.ended {
		if h := c.handOff; !h.Taken {
			h.Taken = h.Takeable(c.task) && c.visit.hand()
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
	if s.asked {
		for _, c := range s.calls {
			if c.listening && !c.over() {
				t.asked = append(t.asked, c)
			}
		}
	}
	return t
}

// singles takes the turn apart, so that each change can be tried alone.
func (t *inlineTurn) singles() (all []*inlineTurn) {
	for i := range t.ended {
		all = append(all, &inlineTurn{ended: t.ended[i : i+1]})
	}
	for i := range t.claims {
		all = append(all, &inlineTurn{claims: t.claims[i : i+1]})
	}
	for i := range t.guests {
		all = append(all, &inlineTurn{guests: t.guests[i : i+1]})
	}
	return append(all, &inlineTurn{asked: t.asked})
}

// write commits the turn and takes its effects into account. What cannot be
// written although the store works is logged and given up, so that one bad task
// does not hold up the others.
func (s *server) write(t *inlineTurn) error {
	err := s.commit(t)
	if err == nil {
		s.settle(t)
		return nil
	}
	for _, lasting := range []error{ledger.ErrChanged, broker.ErrUncertain, broker.ErrFull, broker.ErrUnwritable, broker.ErrBusy, broker.ErrClosed, broker.ErrGone} {
		if errors.Is(err, lasting) {
			return err
		}
	}
	s.o.Log.Warn("write turn, now one by one", "err", err)
	for _, single := range t.singles() {
		err := s.commit(single)
		switch {
		case err == nil:
		case len(single.guests) > 0:
			s.answer(single.guests, err)
			single.guests = nil
		default:
			s.o.Log.Error("give up change", "err", err)
		}
		s.settle(single)
	}
	s.progress = nil
	return nil
}

// commit writes the turn in one transaction. Its function may run twice, so
// everything that it sets is set anew.
func (s *server) commit(t *inlineTurn) error {
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
			if c.left, err = ledger.Settle(tx, c.handOff, c.known); err != nil && !errors.Is(err, ledger.ErrStale) {
				return fmt.Errorf("finish task %s: %w", c.task.TID, err)
			}
		}
		for i := range t.claims {
			if err := t.claims[i].write(tx, s.record, now); err != nil {
				return err
			}
		}
		for _, g := range t.guests {
			var err error
			if g.begun, err = g.draft.Begin(tx, s.record.Process, now); err != nil {
				return err
			}
		}
		for _, c := range t.asked {
			commands, err := ledger.ObeyTask(tx, c.task.TID, now, ledger.Controls(c.task)...)
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

// write claims the job for the server, unless another one has it.
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

// settle does what a turn that was written calls for.
func (s *server) settle(t *inlineTurn) {
	s.answer(t.guests, nil)
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
		c.visit.end(c.left, c.handOff.Result) // who waits for it may want the slot again
	}
	if len(t.claims) > 0 {
		s.ahead = s.ahead[len(t.claims):]
	}
	for _, claimed := range t.claims {
		if claimed.task == nil {
			s.slots.give(1)
			continue
		}
		s.begin(claimed.job, claimed.task)
	}
	if len(t.asked) > 0 {
		s.asked = false
	}
	for _, o := range t.orders {
		o.call.known = nil // the order is in the record
		s.request(o.call, OrderFor(o.what).End)
	}
}
