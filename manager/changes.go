package manager

import (
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/runner"
)

// addChunks has the output of a task written, and then acknowledged to its consumer.
func (l *loop) addChunks(c *consumer, what *ledger.Chunks) {
	l.Add(&engine.Func{
		What: "write output of task " + what.TID,
		Do: func(tx *broker.Tx, _ time.Time) error {
			if err := ledger.WriteChunks(tx, what); !errors.Is(err, ledger.ErrStale) {
				return err
			}
			return nil
		},
		Then: func(error) { _ = c.link.Send(runner.Order{ChunksRecorded: what.Seq}) },
	})
}

// finished is a hand-off; from waits for its acknowledgement. known is the task's record
// if, as far as the manager knows, it has not changed since the task was dispatched.
type finished struct {
	from  *consumer
	what  *ledger.HandOff
	known *ledger.Task
}

func (f *finished) Write(tx *broker.Tx, _ time.Time) error {
	// A stale hand-off changes nothing; its consumer is acknowledged all the same.
	if err := ledger.Finish(tx, f.what, f.known); err != nil && !errors.Is(err, ledger.ErrStale) {
		return fmt.Errorf("finish task %s: %w", f.what.TID, err)
	}
	return nil
}

func (f *finished) Written(error) {
	_ = f.from.link.Send(runner.Order{Ack: f.what.Seq}) // if it is dead, it needs no acknowledgement
}

func (f *finished) Failed(error) bool {
	f.known = nil
	return true
}

// A dispatch is a job that has been assigned to a consumer, which may start it when the
// transaction is committed.
type dispatch struct {
	loop *loop
	to   *consumer
	job  *ledger.Job
	task *ledger.Task // nil: the request was withdrawn
	next nextItem     // of a persistent task
}

func (d *dispatch) Write(tx *broker.Tx, now time.Time) (err error) {
	if d.task, err = ledger.Dispatch(tx, d.job, d.to.self, now); err != nil {
		return fmt.Errorf("dispatch task %s: %w", d.job.TID, err)
	}
	if d.task == nil || !d.job.Work.Persistent {
		return nil
	}
	d.next.item, d.next.due, err = ledger.TakeItem(tx, ledger.ItemRequest{TID: d.job.TID, Epoch: d.job.Epoch}, now)
	if err != nil {
		return fmt.Errorf("first item of task %s: %w", d.job.TID, err)
	}
	return nil
}

func (d *dispatch) Written(err error) {
	if err != nil || d.task == nil {
		d.revoke()
		return
	}
	d.to.known = d.task
	_ = d.to.link.Send(runner.Order{Start: &runner.Permit{Message: d.task.Message.String()}})
	if d.job.Work.Persistent {
		d.to.known = nil // the item is in the record
		d.loop.sendItem(d.to, d.next)
		return
	}
	d.to.expectEnd(time.Now())
}

func (d *dispatch) Failed(error) bool {
	d.revoke()
	return false
}

// revoke takes the job back from its consumer.
func (d *dispatch) revoke() {
	_ = d.to.link.Send(runner.Order{Revoke: true})
	d.loop.UnwatchControl(d.job.TID)
	d.to.becomeIdle(time.Now())
	// If the consumer has not read the assignment, it does not know the environment.
	d.to.env = ""
	// The messages of what was read ahead may now belong to other jobs.
	d.loop.LookAgain()
}

// A decline is a job that no consumer runs: it is refused, or forwarded.
type decline struct {
	loop *loop
	job  *ledger.Job
}

func (d *decline) Write(tx *broker.Tx, now time.Time) error {
	act := ledger.Refuse
	if d.job.NotForConsumer() {
		act = ledger.Forward
	}
	if err := act(tx, d.job, now); err != nil {
		return fmt.Errorf("decline task %s: %w", d.job.TID, err)
	}
	return nil
}

func (d *decline) Written(error) {}

func (d *decline) Failed(error) bool {
	d.loop.LookAgain()
	return false
}
