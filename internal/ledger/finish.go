package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// A HandOff is a consumer's report of a task it has run. Sending it again is harmless:
// epoch and sequence number tell whether it has been applied.
type HandOff struct {
	TID     string           `json:"tid"`
	Epoch   int              `json:"epoch"`
	Seq     int              `json:"seq"`
	Process proc.Identity    `json:"process,omitzero"`
	Outcome taskspec.Outcome `json:"outcome"`
	Output  Output           `json:"output"`
	// Result is the output, unless that stays in its file; then Preview is its beginning.
	Result  []byte `json:"result,omitempty"`
	Preview string `json:"preview,omitempty"`
	Usage   Usage  `json:"usage,omitzero"`
	// Narrowed describes what the process could not inherit from its submitter.
	Narrowed string `json:"narrowed,omitempty"`

	Ended time.Time `json:"ended"`
	// Taken means that the result is returned to a waiter in the process that hands it off.
	// It is as if the message had been read at once, so none is written: see
	// [HandOff.Consumable].
	Consumed bool `json:"-"`
	// Item is the message that a persistent task has worked on; 0 if the task is told to
	// end while it waits, or is not persistent.
	Item broker.ID `json:"item,omitempty"`
}

// ErrStale is returned for a hand-off that comes too late: the task has ended in another
// way, or was given to another consumer. Nothing was changed.
var ErrStale = errors.New("hand-off is stale")

// Finish records the end of a task, or of an attempt that its policy follows by another:
// result, reserved message and record in one transaction. Repeating it has no effect and is
// no error. known is the task as [Dispatch] returned it, which saves reading it; then
// Finish may return [ErrChanged]. It may be nil.
func Finish(tx *broker.Tx, h *HandOff, known *Task) error {
	_, err := FinishTask(tx, h, known)
	return err
}

// FinishTask is [Finish] and returns the task afterwards.
func FinishTask(tx *broker.Tx, h *HandOff, known *Task) (t *Task, err error) {
	t = new(Task)
	if known != nil {
		*t = *known // the transaction may run again
	} else if t, err = load(tx, h.TID); err != nil {
		return nil, err
	}
	switch {
	case t.Epoch == h.Epoch && t.Seq >= h.Seq:
		return t, nil
	case t.Epoch != h.Epoch || t.Status != taskspec.StatusRunning:
		return nil, fmt.Errorf("finish task %s: %w", h.TID, ErrStale)
	}
	ended := h.Ended.UnixNano()
	if t.traits().items {
		if err := endItems(tx, t, h); err != nil {
			return nil, err
		}
		return t, t.conclude(tx, h.Outcome, ended, itemEvent(h.Item))
	}
	body, err := h.message(Dir)
	if err != nil {
		return nil, err
	}
	again, err := tryAgain(tx, t, h.Outcome, ended)
	if err != nil {
		return nil, err
	}
	if err := deliver(tx, t, h, body, again); err != nil {
		return nil, err
	}
	t.Seq, t.Process, t.Output, t.Usage, t.Narrowed = h.Seq, h.Process, h.Output, h.Usage, h.Narrowed
	if h.Output.Form == FormFile {
		if err := t.log(tx, eventOutputSpilled, ended, Event{Bytes: &h.Output.Size}); err != nil {
			return nil, err
		}
	}
	return t, t.end(tx, h.Outcome, ended, Event{Bytes: &h.Output.Size, Usage: &h.Usage}, again)
}

// deliver writes the result to its queue, or passes it to the next stage.
func deliver(tx *broker.Tx, t *Task, h *HandOff, body string, again bool) (err error) {
	queue := ResultQueue(t, h.Outcome.Status)
	if again {
		queue = t.Queues().Attempts
	} else {
		if passed, err := pass(tx, t, h, body); err != nil {
			return err
		} else if passed {
			queue = TakenOutputs
		}
		if err := keepResultCopy(tx, t, h.Outcome.Status, body); err != nil {
			return err
		}
	}
	keep := h.Output.Size > 0 && h.Output.Form != FormFile
	if h.Consumed {
		if queue = TakenOutputs; !keep {
			t.Result, err = tx.NewID()
			return err
		}
	}
	if queue == TakenOutputs && !keep {
		return nil
	}
	t.Result, err = tx.Write(queue, body)
	return err
}

// Consumable reports whether the result of t, as it was dispatched, may be taken with the
// hand-off: no other reader is to get it, and all of it is in h.
func (h *HandOff) Consumable(t *Task) bool {
	return h.Output.Form != FormFile && h.Output.InMemory && t.Out == "" && t.Stage == 0 && t.MaxAttempts <= 1 && !mayHoldMore(t)
}

// IsOnlyResult reports whether taking the result of a task that has ended means to take
// exactly one message: the task has written nothing else there, and no other reader is to
// get it.
func IsOnlyResult(t *Task) bool {
	return t.Result != 0 && !inUserQueue(t) && t.Kind() != Pipeline && !t.Last && !mayHoldMore(t)
}

// mayHoldMore reports whether the task may write more to its outbox than the one result:
// items, or chunks of its output.
func mayHoldMore(t *Task) bool {
	return t.traits().items || t.Streams
}

// Take takes the result of a task, and removes the unread chunks of its output. What the
// task has written is kept: see [KeptOutput]. A result in a queue of the user's stays
// there, for its readers. A task without a result, such as a lost one,
// keeps its chunks: there is no other output. Repeating it has no effect.
func Take(tx *broker.Tx, tid string) error {
	t, err := load(tx, tid)
	if err != nil {
		return err
	}
	if t.Last && t.Status == taskspec.StatusCompleted {
		return Take(tx, t.Parent) // it is the result of the pipeline
	}
	if inUserQueue(t) {
		return takeResultCopy(tx, t)
	}
	if t.Output.Form == FormNone {
		return nil
	}
	if isKept(t) {
		_, err := tx.MoveAll(t.Queues().Outbox, TakenOutputs, broker.Select{ID: t.Result})
		if err != nil || IsOnlyResult(t) {
			return err
		}
	}
	_, err = tx.Delete(t.Queues().Outbox, broker.Select{})
	return err
}

// TakeOnly takes the one message of a task that has ended: see [IsOnlyResult]. It returns
// none if that has been taken.
func TakeOnly(tx *broker.Tx, t *Task) ([]broker.Message, error) {
	sel := broker.Select{ID: t.Result}
	if !isKept(t) {
		return tx.Read(OutboxOf(t.TID), sel)
	}
	return tx.Move(OutboxOf(t.TID), TakenOutputs, sel)
}

// isKept reports whether the message that is the task's result holds something that is kept
// when it is taken.
func isKept(t *Task) bool { return t.Result != 0 && t.Output.Size > 0 && t.Output.Form != FormFile }

// SourceOf returns the attempt that has written the task's output: its own, or that of the
// last of its stages that has started.
func SourceOf(t *Task) Attempt {
	if s := t.Plan.Current(); s != nil {
		return Attempt{TID: s.TID, Epoch: s.Epoch}
	}
	return Attempt{TID: t.TID, Epoch: t.Epoch}
}

// message returns the result as it is written to the outbox. A file is named below dir, the
// project's folder.
func (h *HandOff) message(dir string) (string, error) {
	var v any
	switch h.Output.Form {
	case FormBytes:
		v = struct {
			Type     string `json:"type"`
			Encoding string `json:"encoding"`
			Data     string `json:"data"`
		}{"bytes", "base64", base64.StdEncoding.EncodeToString(h.Result)}
	case FormFile:
		v = struct {
			Type    string             `json:"type"`
			Path    taskspec.RawString `json:"path"`
			Size    int64              `json:"size"`
			SizeMB  float64            `json:"size_mb"`
			Digest  string             `json:"sha256"`
			Preview string             `json:"truncated_preview"`
		}{"large_output", taskspec.RawString(h.file(dir)), h.Output.Size,
			float64(h.Output.Size) / (1 << 20), h.Output.Digest, h.Preview}
	default:
		return string(h.Result), nil
	}
	body, err := json.Marshal(v)
	return string(body), err
}

// end ends the task: it applies the policy of the outcome to the reserved message, drains
// the queues, writes record and event, and notifies the waiters. If another attempt
// follows, for which there is a request already, only this attempt ends: the record gets
// the state "created", and waiters for the end of the task do not see this one.
func (t *Task) end(tx *broker.Tx, o taskspec.Outcome, at int64, e Event, again bool) error {
	if err := taskspec.Transition(t.Status, o.Status); err != nil {
		return err
	}
	t.Status, t.ReturnCode, t.Signal, t.Error = o.Status, o.ReturnCode, o.Signal, o.Error
	t.LimitMeans, t.Details, t.Completed = o.LimitMeans, o.Details, at
	work, err := t.Work()
	if err != nil {
		return err
	}
	if err := drain(tx, t, work); err != nil {
		return err
	}
	policy := o.Policy(*work)
	if again {
		policy = taskspec.PolicyClear // the request has the work item
	}
	if t.Message != 0 {
		if err := t.applyPolicy(tx, policy); err != nil {
			return err
		}
	}
	t.Hold, t.Paused = false, false
	if err := t.dropEndpoints(tx); err != nil {
		return err
	}
	if err := t.log(tx, o.Event, at, e); err != nil {
		return err
	}
	tx.Notify(OutboxOf(t.TID))
	if again {
		return t.nextAttempt(tx, o, at)
	}
	if t.Service != "" {
		tx.Notify(Services)
	}
	if err := t.save(tx); err != nil {
		return err
	}
	if t.Concurrency.Key != "" {
		if err := leaveKey(tx, t); err != nil {
			return err
		}
	}
	return advance(tx, t, o, at)
}

// conclude is [Task.end] without another attempt.
func (t *Task) conclude(tx *broker.Tx, o taskspec.Outcome, at int64, e Event) error {
	return t.end(tx, o, at, e, false)
}

// drain empties the queues of the task, unless its spec says otherwise.
func drain(tx *broker.Tx, t *Task, w *taskspec.Work) error {
	if !w.Cleanup() {
		return nil
	}
	q := t.Queues()
	// Control messages in a queue of the user's have no receiver any more; replies there
	// are for their readers.
	queues := append([]string{q.Inbox, q.ControlIn, q.ControlOut}, Controls(t)...)
	if t.traits().items {
		queues = queues[1:] // items are accepted work: another epoch may do it
	}
	return tx.Clear(queues...)
}

// applyPolicy applies the policy to the reserved message.
func (t *Task) applyPolicy(tx *broker.Tx, p taskspec.Policy) (err error) {
	q := QueuesOf(t.TID)
	if unreserved(t) {
		if p == taskspec.PolicyClear {
			return nil
		}
		if err := tx.Restore(broker.Message{ID: t.Message, Queue: q.Reserved, Body: noItem}); err != nil {
			return err
		}
	}
	switch p {
	case taskspec.PolicyClear:
		_, err = tx.Delete(q.Reserved, broker.Select{ID: t.Message})
	case taskspec.PolicyRequeue:
		_, err = tx.Move(q.Reserved, inboxOf(t), broker.Select{ID: t.Message})
	}
	return err
}
