package ledger

import (
	"errors"

	"weft/broker"
	"weft/taskspec"
)

// resultCopyKind is the kind of the records that hold a copy of a result in a queue of the
// user's, whose readers may be faster than the waiters for the task. Their key is the TID.
// Their state tells whether the result has been taken. A copy is removed with its task.
const (
	resultCopyKind  = "shown"
	resultCopyTaken = "taken"
)

// ResultQueue returns the queue of the result of a task that has ended in this way: if it
// completed, the one that its spec names, or that of the pipeline whose last stage it is.
// The output of a task that did not complete goes to its own outbox, for people: a reader
// of the queue gets results only.
func ResultQueue(t *Task, ended taskspec.Status) string {
	if t.Out != "" && ended == taskspec.StatusCompleted {
		return t.Out
	}
	if t.Last && ended == taskspec.StatusCompleted {
		return PipelineQueues(t.Parent).Outbox
	}
	return t.Queues().Outbox
}

// inUserQueue reports whether the result of the task went to a queue of the user's.
func inUserQueue(t *Task) bool {
	return t.Out != "" && t.Status == taskspec.StatusCompleted && t.Result != 0
}

// keepResultCopy keeps a copy of the result, if other readers may take it first.
func keepResultCopy(tx *broker.Tx, t *Task, ended taskspec.Status, body string) error {
	if t.Out == "" || ended != taskspec.StatusCompleted {
		return nil
	}
	rec := broker.Record{Kind: resultCopyKind, Key: t.TID, Rank: int64(t.Number()), Body: body}
	if t.Last { // the waiters wait for the pipeline
		rec.Key = t.Parent
	}
	return tx.PutRecord(rec)
}

// takeResultCopy marks the copy as taken.
func takeResultCopy(tx *broker.Tx, t *Task) error {
	rec, err := tx.Record(resultCopyKind, t.TID)
	if errors.Is(err, broker.ErrNotFound) {
		return nil
	}
	if err != nil || rec.State == resultCopyTaken {
		return err
	}
	rec.State = resultCopyTaken
	return tx.PutRecord(rec)
}

// dropResultCopy removes the copy.
func dropResultCopy(tx *broker.Tx, t *Task) error {
	if t.Out == "" {
		return nil
	}
	return tx.DeleteRecord(resultCopyKind, t.TID)
}

// ResultMessage returns the message that is the result of a task which has ended; its queue
// may hold others. found is false if it has been taken.
func ResultMessage(r broker.Reader, t *Task) (body string, found bool, err error) {
	if t.Result == 0 {
		return "", false, nil // none was written, or the next stage got it
	}
	// The result of an attempt that was followed by another is in a queue of its own.
	for _, queue := range []string{ResultQueue(t, t.Status), QueuesOf(t.TID).Attempts} {
		ms, err := r.Messages(queue, broker.Select{ID: t.Result, Limit: 1})
		if err != nil {
			return "", false, err
		}
		if len(ms) > 0 {
			return ms[0].Body, true, nil
		}
	}
	if !inUserQueue(t) {
		return "", false, nil
	}
	c, err := resultCopies.get(r, t.TID)
	if errors.Is(err, broker.ErrNotFound) {
		return "", false, nil
	}
	return c.Body, err == nil && c.State == "", err
}

// KeptOutput returns the message with the output of a task that has ended, or the one that
// stands for it, also after the result has been taken. found is false if none is kept: then
// either nothing was written, or the output has been removed or was not loaded.
func KeptOutput(r broker.Reader, t *Task) (body string, found bool, err error) {
	body, found, err = ResultMessage(r, t)
	if found || err != nil || t.Result == 0 {
		return body, found, err
	}
	ms, err := r.Messages(TakenOutputs, broker.Select{ID: t.Result})
	if err != nil || len(ms) > 0 {
		return firstBody(ms), err == nil, err
	}
	owner := t.TID
	if t.Last {
		owner = t.Parent
	}
	c, err := resultCopies.get(r, owner)
	if errors.Is(err, broker.ErrNotFound) {
		return "", false, nil
	}
	return c.Body, err == nil, err
}

func firstBody(ms []broker.Message) string {
	if len(ms) == 0 {
		return ""
	}
	return ms[0].Body
}

// dropTakenOutput removes the output of a task whose result has been taken.
func dropTakenOutput(tx *broker.Tx, t *Task) error {
	if !isKept(t) {
		return nil
	}
	_, err := tx.Delete(TakenOutputs, broker.Select{ID: t.Result})
	return err
}

// resultCopies may hold any text, as results may.
var resultCopies = table[broker.Record]{resultCopyKind, func(rec broker.Record) (broker.Record, error) {
	if !isTID(rec.Key) || rec.State != "" && rec.State != resultCopyTaken {
		return rec, errMismatch
	}
	return rec, nil
}}

// withdrawResult removes the result of an attempt that is repeated, if it has not been
// taken.
func withdrawResult(tx *broker.Tx, t *Task) error {
	if _, err := tx.Delete(OutboxOf(t.TID), broker.Select{}); err != nil {
		return err
	}
	if err := dropTakenOutput(tx, t); err != nil {
		return err
	}
	if !inUserQueue(t) {
		return nil
	}
	if _, err := tx.Delete(t.Out, broker.Select{ID: t.Result}); err != nil {
		return err
	}
	return dropResultCopy(tx, t)
}
