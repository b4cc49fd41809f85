package ledger

import (
	"errors"

	"weft/broker"
	"weft/taskspec"
)

// shownKind is the kind of the records that hold a copy of a result that has gone
// to a queue of the user's, whose readers may be faster than whoever waits for
// the task. Their key is the TID. One goes when the result is taken, or the task
// is forgotten.
const shownKind = "shown"

// ResultQueue is the queue that the result of a task is in which has ended this
// way: the one that its spec names, if it completed. What a task has written that
// did not complete is in its own outbox, for people: who reads the queue reads
// results only.
func (t *Task) ResultQueue(ended taskspec.Status) string {
	if t.Out != "" && ended == taskspec.StatusCompleted {
		return t.Out
	}
	return QueuesOf(t.TID).Outbox
}

// handsOn reports whether the result of the task has gone to a queue of the
// user's.
func (t *Task) handsOn() bool {
	return t.Out != "" && t.Status == taskspec.StatusCompleted && t.Result != 0
}

// show keeps a copy of the result, if others may take it first.
func (t *Task) show(tx *broker.Tx, ended taskspec.Status, body string) error {
	if t.Out == "" || ended != taskspec.StatusCompleted {
		return nil
	}
	return tx.PutRecord(broker.Record{Kind: shownKind, Key: t.TID, Rank: int64(t.Number()), Body: body})
}

// unshow removes the copy.
func (t *Task) unshow(tx *broker.Tx) error {
	if t.Out == "" {
		return nil
	}
	return tx.DeleteRecord(shownKind, t.TID)
}

// ResultMessage returns the message that is the result of a task which has ended:
// in its queue there may be others. found is false if it has been taken.
func (t *Task) ResultMessage(r broker.Reader) (body string, found bool, err error) {
	ms, err := r.Messages(t.ResultQueue(t.Status), broker.Select{ID: t.Result, Limit: 1})
	if err != nil || len(ms) > 0 {
		if err != nil {
			return "", false, err
		}
		return ms[0].Body, true, nil
	}
	if !t.handsOn() {
		return "", false, nil
	}
	copied, err := r.Record(shownKind, t.TID)
	if errors.Is(err, broker.ErrNotFound) {
		return "", false, nil
	}
	return copied.Body, err == nil, err
}

// withdrawResult removes the result of an attempt that is made again, if nobody
// has taken it.
func (t *Task) withdrawResult(tx *broker.Tx) error {
	if _, err := tx.Delete(QueuesOf(t.TID).Outbox, broker.Select{}); err != nil {
		return err
	}
	if !t.handsOn() {
		return nil
	}
	if _, err := tx.Delete(t.Out, broker.Select{ID: t.Result}); err != nil {
		return err
	}
	return t.unshow(tx)
}

// fileIsRead reports whether the task's result is a message in a queue of the
// user's that stands for a file, and has yet to be read.
func (t *Task) fileIsRead(tx *broker.Tx) (bool, error) {
	if !t.handsOn() || t.Output.Form != FormFile {
		return false, nil
	}
	ms, err := tx.Messages(t.Out, broker.Select{ID: t.Result, Limit: 1})
	return len(ms) > 0, err
}
