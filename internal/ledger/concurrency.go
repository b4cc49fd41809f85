package ledger

import (
	"errors"
	"fmt"

	"weft/broker"
	"weft/taskspec"
)

// concurrencyKind is the kind of the records of the concurrency keys that tasks wait for or
// have been admitted with. Their key is that key, their body the limit. A task that waits
// for its key is in the lane of the key in the index; one that may run, or runs, is in the
// lane of those that were admitted, until its attempt has ended.
const concurrencyKind = "concurrency"

// Concurrency is the concurrency key of a task; the zero value is none.
type Concurrency struct {
	Key   string `json:"key"`
	Limit int    `json:"limit"` // as it was submitted; that of the key may have changed since
	// Admitted means that the task counts as one that runs.
	Admitted bool `json:"admitted,omitempty"`
}

// concurrencyOf returns the concurrency key that a spec names.
func concurrencyOf(w *taskspec.Work) (c Concurrency) {
	if w.Concurrency != nil {
		c = Concurrency{Key: w.Concurrency.Key, Limit: w.Concurrency.Bound()}
	}
	return c
}

// waits reports whether a task with the key still has to be admitted.
func (c Concurrency) waits() bool { return c.Key != "" && !c.Admitted }

// AwaitsKey reports whether a task waits for its concurrency key.
func AwaitsKey(t *Task) bool {
	return t.Status == taskspec.StatusCreated && t.NotBefore == 0 && t.Concurrency.waits()
}

// admits returns how many tasks that wait for a key may run now: the others with the key
// are as many as running. It is the whole decision; a limit that was lowered ends no task.
func admits(limit, running int) int { return max(0, limit-running) }

// limitBody is the body of a key's record.
type limitBody struct {
	Limit int `json:"limit"`
}

var limits = table[limitBody]{concurrencyKind, func(rec broker.Record) (l limitBody, err error) {
	if err = fields(rec, &l); err == nil && l.Limit < 1 {
		err = errMismatch
	}
	return l, err
}}

// limitOf returns the limit of a key; 0 if the store has none.
func limitOf(r broker.Reader, key string) (int, error) {
	l, err := limits.get(r, key)
	if unreadable(err) {
		return 0, nil // the tasks with the key know one
	}
	return l.Limit, err
}

// setLimit makes the limit of a submission that of its key.
func (c Concurrency) setLimit(tx *broker.Tx) error {
	limit, err := limitOf(tx, c.Key)
	if err != nil || limit == c.Limit {
		return err
	}
	return put(tx, broker.Record{Kind: concurrencyKind, Key: c.Key}, limitBody{c.Limit})
}

// submitted sets the limit of the key and admits what may run, after the submission of tasks
// with the key.
func (c Concurrency) submitted(tx *broker.Tx) error {
	if err := c.setLimit(tx); err != nil {
		return err
	}
	return c.admit(tx)
}

// admit lets the oldest tasks that wait for the key go on to what can run, as many as the
// limit of the key allows. It is called, in the same transaction, when a task has begun to
// wait for the key, has ended, or the limit has changed. It does nothing without a key.
func (c Concurrency) admit(tx *broker.Tx) error {
	if c.Key == "" {
		return nil
	}
	limit, err := limitOf(tx, c.Key)
	if err != nil {
		return err
	}
	if limit == 0 { // the key was not in use
		limit = max(1, c.Limit)
		if err := put(tx, broker.Record{Kind: concurrencyKind, Key: c.Key}, limitBody{limit}); err != nil {
			return err
		}
	}
	running, err := tx.Records(indexKind, broker.RecordSelect{States: []string{laneAdmitted + c.Key}, Limit: limit})
	if err != nil {
		return err
	}
	for left := admits(limit, len(running)); left > 0; {
		waiting, err := tx.Records(indexKind, broker.RecordSelect{States: []string{laneKey + c.Key}, Limit: left})
		if err != nil {
			return err
		}
		if len(waiting) == 0 && left == limit {
			return tx.DeleteRecord(concurrencyKind, c.Key) // the last one has ended
		}
		if len(waiting) == 0 {
			return nil
		}
		for _, rec := range waiting {
			admitted, err := admitTask(tx, rec.Key, rec.State)
			if err != nil {
				return fmt.Errorf("admit task %s with concurrency key %q: %w", rec.Key, c.Key, err)
			}
			if admitted {
				left--
			}
		}
	}
	return nil
}

// admitTask lets a task that waits for its key go on. It returns false, and the task does
// not wait any more, if its request is gone or its record is damaged.
func admitTask(tx *broker.Tx, tid, lane string) (admitted bool, err error) {
	t, err := load(tx, tid)
	switch {
	case damaged(err):
		if err := tx.DeleteRecord(indexKind, tid); err != nil {
			return false, err
		}
		return false, setAside(tx, WaitingRequests, tid)
	case errors.Is(err, broker.ErrNotFound), err == nil && (t.Status != taskspec.StatusCreated || t.lane() != lane):
		return false, tx.DeleteRecord(indexKind, tid)
	case err != nil:
		return false, err
	}
	t.Concurrency.Admitted = true
	moved, err := tx.Move(WaitingRequests, t.requests(), broker.Select{ID: t.Number()})
	if err != nil {
		return false, err
	}
	if len(moved) == 0 { // deleted by hand
		return false, tx.DeleteRecord(indexKind, tid)
	}
	if err := t.index(tx, 0); err != nil {
		return false, err
	}
	return true, t.save(tx)
}

// keyOfLane returns the concurrency key of a lane, if it is one of tasks that wait for a key
// or were admitted with it.
func keyOfLane(lane string) (key string) {
	for _, prefix := range []string{laneKey, laneAdmitted} {
		if len(lane) > len(prefix) && lane[:len(prefix)] == prefix {
			return lane[len(prefix):]
		}
	}
	return ""
}

// leaveKey removes a task that has ended from the index, and admits what waits for its key.
func leaveKey(tx *broker.Tx, t *Task) error {
	if err := tx.DeleteRecord(indexKind, t.TID); err != nil {
		return err
	}
	return t.Concurrency.admit(tx)
}

// dropIndexed removes what cannot run, or is gone, from the index, and admits what waits for
// its key.
func dropIndexed(tx *broker.Tx, tid string) error {
	rec, err := tx.Record(indexKind, tid)
	if errors.Is(err, broker.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = tx.DeleteRecord(indexKind, tid)
	}
	if err != nil {
		return err
	}
	return Concurrency{Key: keyOfLane(rec.State)}.admit(tx)
}

// KeyUse returns how many tasks were admitted with a concurrency key, and its limit, 0 if no
// task has the key.
func KeyUse(r broker.Reader, key string) (running, limit int, err error) {
	if limit, err = limitOf(r, key); err != nil {
		return 0, 0, err
	}
	recs, err := r.Records(indexKind, broker.RecordSelect{States: []string{laneAdmitted + key}})
	return len(recs), limit, err
}
