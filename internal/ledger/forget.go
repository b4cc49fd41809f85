package ledger

import (
	"time"

	"weft/broker"
	"weft/taskspec"
)

// Outdated finds which ended tasks are more than may be kept: those with ranks
// below the one that it returns, 0 if there are none. most 0 is no bound.
func Outdated(r recordLister, most int) (before int64, err error) {
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

// Forget removes, among the next limit tasks with a rank above after, those that
// have ended and have a rank below before, or ended longer ago than keep.Age. It
// returns how many went, and the rank to go on with, 0 at the end.
//
// A task stays while something of it is left: a result that nobody has taken, or
// the work item that its policy kept. With keep.Bare it goes, and takes that along.
// What has gone to a queue of the user's is no part of it, unless it is a message
// that stands for a file, whose life is the task's.
func Forget(tx *broker.Tx, keep Retention, before int64, now time.Time, after int64, limit int) (n int, next int64, err error) {
	recs, err := tx.Records(Kind, broker.RecordSelect{AfterRank: after, Limit: limit})
	if err != nil {
		return 0, 0, err
	}
	for _, rec := range recs {
		t, err := Decode(rec)
		if err != nil {
			continue // it stays for who repairs it
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

// forget removes a task's record and lets go of its key, unless something of the
// task is left that must not go with it.
func forget(tx *broker.Tx, t *Task, bare bool) (gone bool, err error) {
	if p, err := pipelineOf(tx, t); p != nil || err != nil {
		return false, err // the pipeline may be resumed with what the stage has
	}
	q := t.Queues()
	for _, queue := range []string{q.Outbox, q.Reserved, q.Inbox} {
		left, err := tx.Messages(queue, broker.Select{Limit: 2})
		if err != nil {
			return false, err
		}
		// That an empty work item was kept means nothing to anybody.
		empty := len(left) == 1 && left[0].ID == t.Message && t.NoItem
		if len(left) > 0 && !empty && !bare {
			return false, nil
		}
	}
	if needed, err := fileIsWanted(tx, t); err != nil || needed && !bare {
		return false, err
	}
	if err := dropAttempts(tx, t); err != nil {
		return false, err
	}
	if err := dropResultCopy(tx, t); err != nil {
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
