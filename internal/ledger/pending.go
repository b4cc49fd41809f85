package ledger

import (
	"errors"
	"fmt"
	"math"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// pendingKind is the kind of the records of delayed tasks. Their key is the TID, and their
// rank when the task is due, in nanoseconds since 1970. Its request is in [Delayed]
// meanwhile, under its id.
const pendingKind = "pending"

// pending is a delayed task.
type pending struct {
	tid  string
	due  int64
	wait time.Duration // the whole delay
}

// pendingRecord is the body of its record.
type pendingRecord struct {
	Wait time.Duration `json:"wait_ns"`
}

var delayedTasks = table[pending]{pendingKind, func(rec broker.Record) (pending, error) {
	var body pendingRecord
	err := fields(rec, &body)
	if err == nil && (!isTID(rec.Key) || rec.State != "" || body.Wait <= 0) {
		err = errMismatch
	}
	return pending{rec.Key, rec.Rank, body.Wait}, err
}}

func (p pending) put(tx *broker.Tx) error {
	rec, err := p.record()
	if err != nil {
		return fmt.Errorf("encode pending task %s: %w", p.tid, err)
	}
	return tx.PutRecord(rec)
}

// record returns the record of the delayed task.
func (p pending) record() (broker.Record, error) {
	return withBody(broker.Record{Kind: pendingKind, Key: p.tid, Rank: p.due}, pendingRecord{p.wait})
}

// at returns the delayed task at the given time. If the remaining delay is longer than the
// whole one, the clock was set back since: then the delay starts again, so that no task
// waits for a time that may be years away.
func (p pending) at(now int64) pending {
	if left := p.due - now; left > int64(p.wait) {
		p.due = now + int64(p.wait)
	}
	return p
}

// pendingAtOnce is how many delayed tasks one transaction reads.
const pendingAtOnce = 200

// A schedule is what to do about the delayed tasks.
type schedule struct {
	due   []pending
	reset []pending // those whose delay starts again
	next  time.Time // when to read them again; zero: there is none
}

// readSchedule reads the tasks that are due first.
func readSchedule(r recordLister, now time.Time) (s schedule, err error) {
	recs, err := r.Records(pendingKind, broker.RecordSelect{States: []string{""}, Limit: pendingAtOnce})
	if err != nil {
		return s, err
	}
	for _, rec := range recs {
		was, err := delayedTasks.decode(rec)
		if err != nil {
			// The time at which it is due is not damaged. Whether the clock was set back is
			// not known.
			was = pending{rec.Key, rec.Rank, math.MaxInt64}
		}
		is := was.at(now.UnixNano())
		if is.due <= now.UnixNano() {
			s.due = append(s.due, is)
			continue
		}
		if is != was {
			s.reset = append(s.reset, is)
		}
		if at := time.Unix(0, is.due); s.next.IsZero() || at.Before(s.next) {
			s.next = at
		}
	}
	if len(s.due) == pendingAtOnce {
		s.next = now // there may be more
	}
	return s, nil
}

// NextDue returns when [Promote] has something to do: zero if no task is delayed, and not
// after now if there is something to do now.
func NextDue(r broker.Reader, now time.Time) (time.Time, error) {
	s, err := readSchedule(r, now)
	if len(s.due)+len(s.reset) > 0 {
		return now, err
	}
	return s.next, err
}

// Promote makes the requests of tasks that are due ready to be dispatched, some at a time.
// It returns when to call it again; the zero time means that no task is delayed.
func Promote(tx *broker.Tx, now time.Time) (next time.Time, err error) {
	s, err := readSchedule(tx, now)
	if err != nil {
		return next, err
	}
	for _, p := range s.due {
		if err := p.release(tx); err != nil {
			return next, fmt.Errorf("begin task %s: %w", p.tid, err)
		}
	}
	for _, p := range s.reset {
		if err := p.postpone(tx); err != nil {
			return next, fmt.Errorf("let task %s wait: %w", p.tid, err)
		}
	}
	return s.next, nil
}

// release moves the request of a task that is due to its queue.
func (p pending) release(tx *broker.Tx) error {
	t, err := p.task(tx)
	if t == nil || err != nil {
		return err
	}
	if err := dropPending(tx, t); err != nil {
		return err
	}
	if _, err := tx.Move(Delayed, t.requests(), broker.Select{ID: t.Number()}); err != nil {
		return err
	}
	if err := t.markNested(tx); err != nil {
		return err
	}
	return t.save(tx)
}

// postpone records a new time at which the task is due.
func (p pending) postpone(tx *broker.Tx) error {
	t, err := p.task(tx)
	if t == nil || err != nil {
		return err
	}
	t.NotBefore = p.due
	if err := p.put(tx); err != nil {
		return err
	}
	return t.save(tx)
}

// task returns the delayed task. If the task is not delayed, it removes the record and
// returns nil.
func (p pending) task(tx *broker.Tx) (*Task, error) {
	t, err := load(tx, p.tid)
	switch {
	case errors.Is(err, broker.ErrNotFound):
	case damaged(err):
		if err := setAside(tx, Delayed, p.tid); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case t.Status == taskspec.StatusCreated && t.NotBefore != 0:
		return t, nil
	}
	return nil, tx.DeleteRecord(pendingKind, p.tid)
}

// dropPending ends the task's delay, if it is delayed.
func dropPending(tx *broker.Tx, t *Task) error {
	if t.NotBefore == 0 {
		return nil
	}
	t.NotBefore = 0
	return tx.DeleteRecord(pendingKind, t.TID)
}
