package ledger

import (
	"errors"

	"weft/broker"
	"weft/taskspec"
)

// resultCopyKind is the kind of the records that hold a copy of a result that has gone
// to a queue of the user's, whose readers may be faster than whoever waits for
// the task. Their key is the TID. One goes when the result is taken, or the task
// is forgotten.
const resultCopyKind = "shown"

// ResultQueue is the queue that the result of a task is in which has ended this
// way: if it completed, the one that its spec names, or that of the pipeline whose
// last stage it is. What a task has written that
// did not complete is in its own outbox, for people: who reads the queue reads
// results only.
func ResultQueue(t *Task, ended taskspec.Status) string {
	if t.Out != "" && ended == taskspec.StatusCompleted {
		return t.Out
	}
	if t.Last && ended == taskspec.StatusCompleted {
		return PipelineQueues(t.Parent).Outbox
	}
	return t.Queues().Outbox
}

// inUserQueue reports whether the result of the task has gone to a queue of the
// user's.
func inUserQueue(t *Task) bool {
	return t.Out != "" && t.Status == taskspec.StatusCompleted && t.Result != 0
}

// keepResultCopy keeps a copy of the result, if others may take it first.
func keepResultCopy(tx *broker.Tx, t *Task, ended taskspec.Status, body string) error {
	if t.Out == "" || ended != taskspec.StatusCompleted {
		return nil
	}
	shown := broker.Record{Kind: resultCopyKind, Key: t.TID, Rank: int64(t.Number()), Body: body}
	if t.Last { // who waits does so for the pipeline
		shown.Key = t.Parent
	}
	return tx.PutRecord(shown)
}

// dropResultCopy removes the copy.
func dropResultCopy(tx *broker.Tx, t *Task) error {
	if t.Out == "" {
		return nil
	}
	return tx.DeleteRecord(resultCopyKind, t.TID)
}

// ResultMessage returns the message that is the result of a task which has ended:
// in its queue there may be others. found is false if it has been taken.
func ResultMessage(r store, t *Task) (body string, found bool, err error) {
	if t.Result == 0 {
		return "", false, nil // none was written, or the next stage has got it
	}
	// That of an attempt which was followed by another lies aside.
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
	body, err = copies.get(r, t.TID)
	if errors.Is(err, broker.ErrNotFound) {
		return "", false, nil
	}
	return body, err == nil, err
}

// copies hold whatever the results do.
var copies = table[string]{resultCopyKind, func(rec broker.Record) (string, error) {
	if !isTID(rec.Key) || rec.State != "" {
		return "", errElsewhere
	}
	return rec.Body, nil
}}

// withdrawResult removes the result of an attempt that is made again, if nobody
// has taken it.
func withdrawResult(tx *broker.Tx, t *Task) error {
	if _, err := tx.Delete(OutboxOf(t.TID), broker.Select{}); err != nil {
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

// fileIsWanted reports whether the task's result is a message in a queue of the
// user's that stands for a file, and has yet to be read.
func fileIsWanted(tx *broker.Tx, t *Task) (bool, error) {
	if !inUserQueue(t) || t.Output.Form != FormFile {
		return false, nil
	}
	ms, err := tx.Messages(t.Out, broker.Select{ID: t.Result, Limit: 1})
	return len(ms) > 0, err
}
