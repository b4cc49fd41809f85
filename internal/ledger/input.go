package ledger

import (
	"fmt"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// The names of a task's queues that a spec may replace.
const (
	inboxName      = "inbox"
	outboxName     = "outbox"
	controlInName  = "ctrl_in"
	controlOutName = "ctrl_out"
)

// bindQueues sets the queues that a spec names instead of the task's own.
func bindQueues(t *Task, s *taskspec.Spec) {
	q := QueuesOf(t.TID)
	if t.In = s.IO.Inputs[inboxName]; t.In == q.Inbox {
		t.In = ""
	}
	if t.Out = s.IO.Outputs[outboxName]; t.Out == q.Outbox {
		t.Out = ""
	}
	if t.ControlIn = s.IO.Control[controlInName]; t.ControlIn == q.ControlIn {
		t.ControlIn = ""
	}
	if t.ControlOut = s.IO.Control[controlOutName]; t.ControlOut == q.ControlOut {
		t.ControlOut = ""
	}
}

// inboxOf returns the queue that the task's work item goes back into, and that the items of
// a persistent task come from.
func inboxOf(t *Task) string {
	if t.In != "" {
		return t.In
	}
	return QueuesOf(t.TID).Inbox
}

// WaitsFor returns the queue that a task waits for that has not started; empty if it waits
// for a slot only, or has started.
func WaitsFor(t *Task) string {
	if t.Status != taskspec.StatusCreated || t.traits().items {
		return ""
	}
	return t.In
}

// queuesBelow returns the queues with a prefix.
func queuesBelow(r broker.Reader, prefix string) (all []string, err error) {
	for first := prefix; ; {
		names, err := r.Queues(first, pageOfRecords)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !strings.HasPrefix(name, prefix) {
				return all, nil
			}
			all = append(all, name)
		}
		if len(names) < pageOfRecords {
			return all, nil
		}
		first = names[len(names)-1] + "\x00"
	}
}

// bindQueues sets the queues that the job's spec names. A request that waits for its work
// item is not prepared further.
func (j *Job) bindQueues(s *taskspec.Spec, input broker.Message) {
	bindQueues(j.task, s)
	j.ForNextStage = j.task.Stage != 0 && !j.task.Last && j.task.Out == ""
	if traitsOf[kindOf(&s.Work)].items {
		j.Inbox = inboxOf(j.task)
	}
	switch {
	case j.task.In == "":
	case input.ID != 0:
		j.item0, j.item = &input, input.Body
	case j.item != noItem || j.Input != "":
		j.refused = "request has an inbox_message, but its task takes its work item from the queue " + j.task.In
	default:
		j.Work = s.Work
	}
}

// itemAvailable reports whether the job can still have its message. For a dispatch that
// must be the oldest of its queue, so that the order is kept.
func (j *Job) itemAvailable(tx *broker.Tx, oldest bool) (bool, error) {
	if j.item0 == nil {
		return true, nil
	}
	sel := broker.Select{Limit: 1}
	if !oldest {
		sel.ID = j.item0.ID
	}
	ms, err := tx.Messages(j.item0.Queue, sel)
	return len(ms) > 0 && ms[0].ID == j.item0.ID, err
}

// reserve makes the job's work item the reserved message of its task.
func (j *Job) reserve(tx *broker.Tx, t *Task) (broker.ID, error) {
	if unreserved(t) {
		return tx.NewID()
	}
	reserved := QueuesOf(j.TID).Reserved
	if j.item0 == nil {
		return tx.Write(reserved, j.item)
	}
	moved, err := tx.Move(j.item0.Queue, reserved, broker.Select{ID: j.item0.ID})
	if err == nil && len(moved) == 0 {
		err = fmt.Errorf("reserve message %v of %s: %w", j.item0.ID, j.item0.Queue, broker.ErrNotFound)
	}
	return j.item0.ID, err
}

// putBack moves the message that the policy of a task has kept back into the queue it came
// from, under its id, so that it is the next again. The error is [ErrNoRetry] if it is in
// neither place.
func putBack(tx *broker.Tx, t *Task) error {
	if t.Message == 0 {
		return nil // the task was stopped while it waited
	}
	moved, err := tx.Move(QueuesOf(t.TID).Reserved, t.In, broker.Select{ID: t.Message})
	if err != nil || len(moved) > 0 {
		return err
	}
	ms, err := tx.Messages(t.In, broker.Select{ID: t.Message})
	if err == nil && len(ms) == 0 {
		err = fmt.Errorf("%w: its work item is gone; submit it again", ErrNoRetry)
	}
	return err
}
