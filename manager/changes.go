package manager

import (
	"errors"
	"time"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/engine"
	"weft/internal/ledger"
)

// addChunks has the output of a task written, and then acknowledged to its consumer.
func (l *loop) addChunks(c *consumer, what *ledger.Chunks) {
	l.Add(engine.Change{
		What: "write output of task", TID: what.TID,
		Write: func(tx *broker.Tx, _ time.Time) error {
			return unlessStale(ledger.WriteChunks(tx, what))
		},
		Written: func(error) { _ = c.link.Send(consumers.Order{ChunksRecorded: what.Seq}) },
	})
}

// addEnd has the end of a task written, and then acknowledged to its consumer.
func (l *loop) addEnd(c *consumer, h *ledger.HandOff) {
	known := c.known // if, as far as is known, it has not changed since the dispatch
	l.Add(engine.Change{
		What: "finish task", TID: h.TID,
		Write: func(tx *broker.Tx, _ time.Time) error { return unlessStale(ledger.Finish(tx, h, known)) },
		Written: func(error) {
			_ = c.link.Send(consumers.Order{Ack: h.Seq}) // if it is dead, it needs none
			l.keeper.Ended(h.Output.Size)
		},
		Failed: func(error) bool { known = nil; return true },
	})
}

// unlessStale returns err, unless that means that the task has ended in another way. Then
// nothing was changed, and the consumer is acknowledged all the same.
func unlessStale(err error) error {
	if errors.Is(err, ledger.ErrStale) {
		return nil
	}
	return err
}

// addDispatch has a job that has been assigned to a consumer dispatched: when that is
// committed, the consumer may start it.
func (l *loop) addDispatch(c *consumer, j *ledger.Job) {
	var t *ledger.Task // nil: the request was withdrawn
	var first nextItem // of a persistent task
	l.Add(engine.Change{
		What: "dispatch task", TID: j.TID,
		Write: func(tx *broker.Tx, now time.Time) (err error) {
			if t, err = ledger.Dispatch(tx, j, c.self, now); err == nil && t != nil && j.Work.Persistent {
				first, err = takeItem(tx, ledger.ItemRequest{TID: j.TID, Epoch: j.Epoch}, now)
			}
			return err
		},
		Written: func(err error) {
			if err != nil || t == nil {
				l.revoke(c, j)
				return
			}
			_ = c.link.Send(consumers.Order{Start: &consumers.Permit{Message: t.Message.String()}})
			if j.Work.Persistent {
				l.sendItem(c, first)
				return
			}
			c.known = t
			c.expectEnd(time.Now())
		},
		Failed: func(error) bool { l.revoke(c, j); return false },
	})
}

// revoke takes a job back from its consumer.
func (l *loop) revoke(c *consumer, j *ledger.Job) {
	_ = c.link.Send(consumers.Order{Revoke: true})
	l.UnwatchControl(j.TID)
	c.becomeIdle(time.Now())
	// If the consumer has not read the assignment, it does not know the environment.
	c.env = ""
	// The messages of what was read ahead may now belong to other jobs.
	l.LookAgain()
}

// addDecline has a job that no consumer runs refused or forwarded.
func (l *loop) addDecline(j *ledger.Job) {
	write := ledger.Refuse
	if j.NotForConsumer() {
		write = ledger.Forward
	}
	l.Add(engine.Change{
		What: "decline task", TID: j.TID,
		Write:  func(tx *broker.Tx, now time.Time) error { return write(tx, j, now) },
		Failed: func(error) bool { l.LookAgain(); return false },
	})
}
