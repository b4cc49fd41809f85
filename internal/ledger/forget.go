package ledger

import (
	"cmp"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// Outdated returns the rank below which ended tasks exceed the number that may be kept, 0
// if there are none. most 0 is no bound.
func Outdated(r broker.Reader, most int) (before int64, err error) {
	if most == 0 {
		return 0, nil
	}
	var ended []int64
	for rec, err := range each(r, Kind, 0) {
		if err != nil {
			return 0, err
		}
		if taskspec.Status(rec.State).Terminal() {
			ended = append(ended, rec.Rank)
		}
	}
	if len(ended) <= most {
		return 0, nil
	}
	return ended[len(ended)-most], nil
}

// Forget removes, among the next limit tasks with a rank above after, those that have ended
// and have a rank below before, or ended longer ago than keep.Age. It returns how many it
// removed, and the rank to continue with, 0 at the end.
//
// A task stays while something of it is left: a result that has not been taken, or the work
// item that its policy kept. With keep.Force it is removed together with that. Messages in
// a queue of the user's do not count, unless one stands for a file, which is removed with
// the task.
func Forget(tx *broker.Tx, keep Retention, before int64, now time.Time, after int64, limit int) (n int, next int64, err error) {
	recs, err := tx.Records(Kind, broker.RecordSelect{AfterRank: after, Limit: limit})
	if err != nil {
		return 0, 0, err
	}
	for _, rec := range recs {
		t, err := Decode(rec)
		if err != nil {
			continue // repair needs it
		}
		old := keep.Age > 0 && t.Completed < now.Add(-keep.Age).UnixNano()
		if !t.Status.Terminal() || rec.Rank >= before && !old {
			continue
		}
		gone, err := forget(tx, t, keep.Force)
		if err != nil {
			return 0, 0, err
		}
		if gone {
			n++
		}
	}
	if len(recs) == limit {
		next = recs[len(recs)-1].Rank
	}
	return n, next, nil
}

// forget removes a task's record and drops its key, unless something of the task is left.
func forget(tx *broker.Tx, t *Task, force bool) (gone bool, err error) {
	if p, err := pipelineOf(tx, t); p != nil || err != nil {
		return false, err // the pipeline may be resumed with what the stage has
	}
	q := t.Queues()
	for _, queue := range []string{q.Outbox, q.Reserved, q.Inbox} {
		left, err := tx.Messages(queue, broker.Select{Limit: 2})
		if err != nil {
			return false, err
		}
		// a kept but empty work item does not count
		empty := len(left) == 1 && left[0].ID == t.Message && t.NoItem
		if len(left) > 0 && !empty && !force {
			return false, nil
		}
	}
	if needed, err := fileNeeded(tx, t); err != nil || needed && !force {
		return false, err
	}
	if err := dropAttempts(tx, t); err != nil {
		return false, err
	}
	if err := cmp.Or(dropTakenOutput(tx, t), dropResultCopy(tx, t)); err != nil {
		return false, err
	}
	if err := dropItemFiles(tx, t); err != nil {
		return false, err
	}
	if err := tx.Clear(q.Outbox, q.Reserved, q.Inbox, q.ControlIn, q.ControlOut); err != nil {
		return false, err
	}
	if err := dropKey(tx, t); err != nil {
		return false, err
	}
	return true, tx.DeleteRecord(Kind, t.TID)
}
