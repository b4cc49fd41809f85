package ledger

import (
	"errors"
	"fmt"
	"math"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// pendingKind is the kind of the records of tasks that wait for their time.
// Their key is the TID, and their rank when the task is due, in nanoseconds since
// 1970. The request waits in [Delayed] meanwhile, under its id.
const pendingKind = "pending"

// pending is a task that waits for its time.
type pending struct {
	tid  string
	due  int64
	wait time.Duration // all of it, when it began
}

// pendingRecord is the body of its record.
type pendingRecord struct {
	Wait time.Duration `json:"wait_ns"`
}

var waits = table[pending]{pendingKind, func(rec broker.Record) (pending, error) {
	var body pendingRecord
	err := fields(rec, &body)
	if err == nil && (!isTID(rec.Key) || rec.State != "" || body.Wait <= 0) {
		err = errElsewhere
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

// record is how it is stored.
func (p pending) record() (broker.Record, error) {
	return withBody(broker.Record{Kind: pendingKind, Key: p.tid, Rank: p.due}, pendingRecord{p.wait})
}

// at is the task as it waits at a moment. If more is left than all of its wait,
// the clock was set back since: then it begins anew, so that nothing waits for a
// time that may be years away.
func (p pending) at(now int64) pending {
	if left := p.due - now; left > int64(p.wait) {
		p.due = now + int64(p.wait)
	}
	return p
}

// pendingAtOnce is how many pending tasks one transaction looks at.
const pendingAtOnce = 200

// A schedule is what is to be done about the tasks that wait.
type schedule struct {
	due   []pending
	reset []pending // they wait anew
	next  time.Time // when to look again; zero: when somebody waits
}

// readSchedule looks at those that are due first.
func readSchedule(r recordLister, now time.Time) (s schedule, err error) {
	recs, err := r.Records(pendingKind, broker.RecordSelect{States: []string{""}, Limit: pendingAtOnce})
	if err != nil {
		return s, err
	}
	for _, rec := range recs {
		was, err := waits.decode(rec)
		if err != nil {
			// When it is due is no part of what is damaged. That the clock was set
			// back cannot be told.
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

// NextDue returns when [Promote] has something to do: zero if no task waits, and
// not after now if it has something to do now.
func NextDue(r broker.Reader, now time.Time) (time.Time, error) {
	s, err := readSchedule(r, now)
	if len(s.due)+len(s.reset) > 0 {
		return now, err
	}
	return s.next, err
}

// Promote lets the requests of tasks that are due be dispatched, some at a time.
// It returns when to come again; the zero time means that no task waits.
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

// release moves the request of a task that is due to the others.
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

// postpone records when the task is due instead.
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

// task is the task that waits. If it does not, although its record says so, the
// record goes; then the task is nil.
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

// dropPending ends the task's wait, if it waits for its time.
func dropPending(tx *broker.Tx, t *Task) error {
	if t.NotBefore == 0 {
		return nil
	}
	t.NotBefore = 0
	return tx.DeleteRecord(pendingKind, t.TID)
}
