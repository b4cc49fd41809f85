package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"weft/broker"
	"weft/taskspec"
)

// attemptKind is the kind of the records of attempts that were followed by others because
// of the task's policy: the task as it was at their end, without its spec. Their state is
// the TID, and their rank the id of the message that the attempt had reserved.
const attemptKind = "attempt"

// maxKept is how many attempts at a task, the latest, keep their records and results: each
// may have 64 KiB of standard error, and a result of 10 MiB.
const maxKept = 10

// tryAgain decides whether another attempt follows the one that has ended with o, and if so
// writes its request. [nextAttempt] does the rest.
func tryAgain(tx *broker.Tx, t *Task, o taskspec.Outcome, at int64) (bool, error) {
	work, err := t.Work()
	// A task that was told to end does not start again, even if it ended in another way.
	if err != nil || work.Retry == nil || t.Ordered != "" || t.NoRetry {
		return false, err
	}
	wait, again := work.Retry.Next(t.Epoch-t.Base, o, rand.Float64())
	if !again {
		return false, nil
	}
	if ordered, err := hasEndOrder(tx, t); ordered || err != nil {
		return false, err
	}
	item := noItem
	if !unreserved(t) {
		ms, err := tx.Messages(QueuesOf(t.TID).Reserved, broker.Select{ID: t.Message})
		if err != nil || len(ms) == 0 {
			return false, err // its work item has been removed
		}
		item = ms[0].Body
	}
	if wait > 0 {
		t.NotBefore = at + int64(wait)
	}
	err = t.requestAgain(tx, quoted(item), wait)
	if errors.Is(err, broker.ErrTooLarge) {
		// The item may be longer than it was in a request that was written by hand.
		t.NotBefore = 0
		return false, nil
	}
	return err == nil, err
}

// hasEndOrder reports whether an order after which the task is not retried has not been read yet.
func hasEndOrder(tx *broker.Tx, t *Task) (bool, error) {
	for _, queue := range append(Controls(t), QueuesOf(t.TID).ControlIn) {
		orders, err := tx.Messages(queue, broker.Select{})
		found := slices.ContainsFunc(orders, func(m broker.Message) bool {
			c := ParseControl(m.Body).Command
			return c.ends() || c.signals()
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// quoted returns text as a JSON string.
func quoted(text string) json.RawMessage {
	body, _ := json.Marshal(text) // cannot fail for a string
	return body
}

// nextAttempt keeps the attempt that has ended, and resets the task for the next one.
func (t *Task) nextAttempt(tx *broker.Tx, o taskspec.Outcome, at int64) error {
	// Remove the chunks of this attempt's output; those of the next one are counted from 0.
	if _, err := tx.Delete(OutboxOf(t.TID), broker.Select{}); err != nil {
		return err
	}
	due := t.NotBefore
	t.NotBefore = 0
	if err := keepAttempt(tx, t); err != nil {
		return err
	}
	failed := *t
	*t = resetForRetry(t)
	t.FirstStarted = cmp.Or(failed.FirstStarted, failed.Started)
	t.Seq, t.NotBefore = failed.Seq, due // the hand-off, if it is repeated, is known
	if o.Event == taskspec.EventWorkInterrupted {
		t.Base++ // it does not count
	}
	err := t.log(tx, eventRetried, at, Event{
		Error: failed.Error, Attempt: t.Epoch - t.Base, MaxAttempts: t.MaxAttempts, NotBefore: due,
	})
	if err != nil {
		return err
	}
	if err := t.save(tx); err != nil {
		return err
	}
	return t.Concurrency.admit(tx)
}

// keepAttempt keeps the attempt as it has ended, and drops the oldest one if there are too
// many.
func keepAttempt(tx *broker.Tx, t *Task) error {
	if t.Epoch > maxKept {
		kept, err := attempts(tx, t.TID)
		if err != nil {
			return err
		}
		for _, oldest := range kept[:max(0, len(kept)+1-maxKept)] {
			if err := dropAttempt(tx, oldest); err != nil {
				return err
			}
		}
	}
	past := *t
	past.Spec, past.Env = nil, ""
	r, err := past.record()
	if err != nil {
		return err
	}
	r.Kind, r.Key, r.State, r.Rank = attemptKind, attemptKey(t.TID, t.Epoch), t.TID, int64(t.Message)
	return tx.PutRecord(r)
}

func attemptKey(tid string, epoch int) string { return fmt.Sprintf("%s.%d", tid, epoch) }

// attempts returns the records of the kept attempts at a task, in order.
func attempts(r broker.Reader, tid string) ([]broker.Record, error) {
	return r.Records(attemptKind, broker.RecordSelect{States: []string{tid}})
}

// dropAttempt removes an attempt and its result.
func dropAttempt(tx *broker.Tx, r broker.Record) error {
	t, err := pastAttempts.decode(r)
	if damaged(err) {
		return nil // repair needs it
	}
	if err != nil {
		return err
	}
	if t.Result != 0 {
		if _, err := tx.Delete(QueuesOf(r.State).Attempts, broker.Select{ID: t.Result}); err != nil {
			return err
		}
	}
	return tx.DeleteRecord(attemptKind, r.Key)
}

// dropAttempts removes the kept attempts at a task, and their results.
func dropAttempts(tx *broker.Tx, t *Task) error {
	if t.MaxAttempts == 0 {
		return nil // it has no policy
	}
	if _, err := tx.Delete(QueuesOf(t.TID).Attempts, broker.Select{}); err != nil {
		return err
	}
	return dropAll(tx, attemptKind, broker.RecordSelect{States: []string{t.TID}})
}

// dropAll removes the selected records of a kind.
func dropAll(tx *broker.Tx, kind string, sel broker.RecordSelect) error {
	recs, err := tx.Records(kind, sel)
	for _, r := range recs {
		err = cmp.Or(err, tx.DeleteRecord(kind, r.Key))
	}
	return err
}

// dropLost removes the records of a kind that belong to tasks that are gone.
func dropLost(tx *broker.Tx, kind string, owner func(broker.Record) (tid string), drop func(*broker.Tx, broker.Record) error) error {
	for r, err := range each(tx, kind, 0) {
		if err == nil {
			_, err = tx.Record(Kind, owner(r))
		}
		if errors.Is(err, broker.ErrNotFound) {
			err = drop(tx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pastAttempt returns the task as it was at the end of an attempt that its policy followed
// by another; nil if that is not kept.
func pastAttempt(r broker.Reader, tid string, epoch int) (*Task, error) {
	t, err := pastAttempts.get(r, attemptKey(tid, epoch))
	if errors.Is(err, broker.ErrNotFound) {
		return nil, nil
	}
	return t, err
}

var pastAttempts = table[*Task]{attemptKind, func(rec broker.Record) (*Task, error) {
	t := &Task{stored: rec}
	err := fields(rec, t)
	if err == nil && (t.TID != rec.State || attemptKey(t.TID, t.Epoch) != rec.Key) {
		err = errMismatch
	}
	return t, err
}}

// PastAttempt returns the task as it was at the end of an attempt, counted from 1, that its
// policy followed by another. The error wraps [broker.ErrNotFound] if there was none, or it
// is no longer kept: of each task the latest ten are, as long as its record is.
func PastAttempt(r broker.Reader, tid string, epoch int) (*Task, error) {
	t, err := pastAttempt(r, tid, epoch)
	if t == nil && err == nil {
		err = fmt.Errorf("attempt %d: %w", epoch, broker.ErrNotFound)
	}
	return t, err
}

// PastAttempts returns all attempts that [PastAttempt] returns, in order.
func PastAttempts(r broker.Reader, tid string) (past []*Task, err error) {
	return pastAttempts.list(r, broker.RecordSelect{States: []string{tid}})
}

// MayRetry reports whether another attempt may follow the running one.
func MayRetry(t *Task) bool { return t.Epoch-t.Base < t.MaxAttempts }
