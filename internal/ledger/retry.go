package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// eventRetried records that a task runs again.
const eventRetried = "task_retried"

// ErrNoRetry is returned for a task that cannot be run again, because something that it
// needs is gone.
var ErrNoRetry = errors.New("cannot be run again")

// Retry makes a task that has ended run again, under its id: its work item goes back into a
// request, or into the queue it came from, a result that has not been taken is removed, and
// its record gets the state "created". The next dispatch increments the epoch, which makes
// hand-offs of the old attempt stale. It returns the task as it was before, and, as
// [Submit] does, whether a manager will see the request.
//
// A pipeline continues at the stage that did not complete.
func Retry(tx *broker.Tx, tid string, now time.Time) (before *Task, managed bool, err error) {
	t, err := load(tx, tid)
	if err != nil {
		return nil, false, err
	}
	if err := taskspec.Retry(t.Status); err != nil {
		return nil, false, err
	}
	ended := *t
	switch {
	case t.Stage != 0:
		err = fmt.Errorf("%w by itself: it is a stage of the pipeline %s: retry that", ErrNoRetry, t.Parent)
	case t.Service != "":
		err = fmt.Errorf("%w: it is the service %s, which its manifest starts again", ErrNoRetry, t.Service)
	case t.Plan != nil:
		err = resume(tx, t, now)
	default:
		err = retryTask(tx, t, now)
	}
	if err != nil {
		return nil, false, err
	}
	managed, err = Managed(tx)
	return &ended, managed, err
}

// retryTask is [Retry] for a task that is not a pipeline, and may be a stage.
func retryTask(tx *broker.Tx, t *Task, now time.Time) error {
	switch {
	case len(t.Spec) == 0:
		return fmt.Errorf("%w: it was never begun", ErrNoRetry)
	case wasHidden(string(t.Spec)):
		return fmt.Errorf("%w: something of its spec was hidden in the dump it came from", ErrNoRetry)
	case t.Env != "":
		_, err := tx.Record(envKind, t.Env)
		if errors.Is(err, broker.ErrNotFound) {
			err = fmt.Errorf("%w: the environment it ran in was cleared away", ErrNoRetry)
		}
		if err != nil {
			return err
		}
	}
	item, err := t.takeBack(tx)
	if err != nil {
		return err
	}
	if err := t.requestAgain(tx, item, 0); err != nil {
		return err
	}
	// The completed items of a persistent task stay completed.
	if !t.traits().items {
		if err := withdrawResult(tx, t); err != nil {
			return err
		}
	}
	*t = resetForRetry(t)
	t.Base = t.Epoch // its policy counts from here
	if err := t.log(tx, eventRetried, now.UnixNano(), Event{}); err != nil {
		return err
	}
	if err := t.save(tx); err != nil {
		return err
	}
	return t.Concurrency.admit(tx)
}

// requestAgain writes the request for another attempt at the task, under its id. item is
// its work item in JSON, nil if that comes from a queue; wait is its whole delay, if it has
// one. When the task is saved, the caller admits what waits for its concurrency key.
func (t *Task) requestAgain(tx *broker.Tx, item json.RawMessage, wait time.Duration) error {
	t.Concurrency.Admitted = false // every attempt waits for its turn
	body, err := json.Marshal(request{Spec: t.Spec, Item: item})
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if err := tx.Restore(broker.Message{ID: t.Number(), Queue: t.requests(), Body: string(body)}); err != nil {
		return err
	}
	return t.index(tx, wait)
}

// resetForRetry returns the task before its next attempt.
func resetForRetry(t *Task) Task {
	return Task{
		TID: t.TID, Name: t.Name, Status: taskspec.StatusCreated, Spec: t.Spec, Root: t.Root, decoded: t.decoded, stored: t.stored,
		Dir: t.Dir, Env: t.Env, Input: t.Input, Parent: t.Parent, Depth: t.Depth, Slotless: t.Slotless, Inline: t.Inline,
		In: t.In, Out: t.Out, ControlIn: t.ControlIn, ControlOut: t.ControlOut, Redact: t.Redact, Streams: t.Streams, NoItem: t.NoItem, Key: t.Key, Tags: t.Tags, Concurrency: t.Concurrency, Batch: t.Batch, Line: t.Line,
		Service: t.Service,
		Items:   t.Items, Pipeline: t.Pipeline, Stage: t.Stage, Last: t.Last,
		MaxAttempts: t.MaxAttempts, Base: t.Base, Epoch: t.Epoch, Created: t.Created, LastEvent: t.LastEvent,
	}
}

// takeBack takes the work item of a task that has ended from where its policy left it. One
// that came from a queue goes back there, and is not returned; so do all that a persistent
// task has kept.
func (t *Task) takeBack(tx *broker.Tx) (item json.RawMessage, err error) {
	if t.traits().items {
		return nil, putItemsBack(tx, t)
	}
	if t.In != "" {
		return nil, putBack(tx, t)
	}
	q := QueuesOf(t.TID)
	for _, queue := range []string{q.Reserved, q.Inbox} {
		ms, err := tx.Read(queue, broker.Select{ID: t.Message})
		if err != nil {
			return nil, err
		}
		if len(ms) > 0 {
			return json.Marshal(ms[0].Body)
		}
	}
	if !t.NoItem {
		return nil, fmt.Errorf("%w: its work item is gone; submit it again", ErrNoRetry)
	}
	return nil, nil
}
