package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// waitingPrefix is the prefix of the queues of requests for tasks that take their work
// items from a queue; that queue's name follows. Such a request costs nothing until there
// is an item for it.
const waitingPrefix = "weft.waiting."

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

// wakeManager notifies the manager of a request in a queue it does not listen to.
func wakeManager(tx *broker.Tx, t *Task) {
	if t.In != "" {
		tx.Notify(Requests)
	}
}

// Ready is a request that can be dispatched, and the message that it gets from a queue, if
// it waited for one.
type Ready struct{ Request, Item broker.Message }

// Oldest returns the oldest requests that can be dispatched, at most n, with ids above
// quarantined. Of the requests that wait for a queue, the oldest gets the oldest message;
// from each queue it reads none after messages that have reached size bytes together.
// inputs are the queues that requests wait for, with or without messages.
func Oldest(r broker.Reader, quarantined broker.ID, n, size int) (ready []Ready, inputs []string, err error) {
	ms, err := Waiting(r, Requests, quarantined, n, size)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range ms {
		ready = append(ready, Ready{Request: m})
	}
	if inputs, err = waitedFor(r); err != nil || len(inputs) == 0 {
		return ready, nil, err
	}
	for _, input := range inputs {
		items, err := Waiting(r, input, 0, n, size)
		if err != nil {
			return nil, nil, err
		}
		if len(items) == 0 {
			continue
		}
		requests, err := Waiting(r, waitingPrefix+input, quarantined, len(items), size)
		if err != nil {
			return nil, nil, err
		}
		for i, request := range requests {
			ready = append(ready, Ready{request, items[i]})
		}
	}
	slices.SortFunc(ready, func(a, b Ready) int { return cmp.Compare(a.Request.ID, b.Request.ID) })
	return ready[:min(n, len(ready))], inputs, nil
}

// waitedFor returns the queues that requests wait for.
func waitedFor(r broker.Reader) (inputs []string, err error) {
	names, err := queuesBelow(r, waitingPrefix)
	for _, name := range names {
		inputs = append(inputs, strings.TrimPrefix(name, waitingPrefix))
	}
	return inputs, err
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

// inputMark is the state of the marks of nested requests that wait for a queue; their
// bodies name it.
const inputMark = "input"

// OldestNested is [Oldest] for the requests of tasks, which need no slot.
func OldestNested(r broker.Reader, quarantined broker.ID, n int) (ready []Ready, err error) {
	ms, err := WaitingNested(r, quarantined, n)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		ready = append(ready, Ready{Request: m})
	}
	given := make(map[string]bool) // queues whose oldest message is assigned
	for mark, err := range marks.each(r, int64(quarantined), inputMark) {
		if err != nil {
			return nil, err
		}
		if len(ready) >= n {
			break
		}
		if given[mark.Body] {
			continue
		}
		items, err := r.Messages(mark.Body, broker.Select{Limit: 1})
		if err != nil {
			return nil, err
		}
		requests, err := r.Messages(waitingPrefix+mark.Body, broker.Select{ID: broker.ID(mark.Rank)})
		if err != nil {
			return nil, err
		}
		if len(items) > 0 && len(requests) > 0 {
			ready = append(ready, Ready{requests[0], items[0]})
			given[mark.Body] = true
		}
	}
	return ready, nil
}

// PrepareReady is [Prepare] for a request and the message that it gets.
func PrepareReady(r broker.Reader, root string, m Ready) (*Job, error) {
	if m.Item.ID == 0 {
		return Prepare(r, root, m.Request)
	}
	return prepare(r, root, m.Request, &m.Item)
}

// bindQueues sets the queues that the job's spec names. A request that waits for its work
// item is not prepared further.
func (j *Job) bindQueues(s *taskspec.Spec, input *broker.Message) {
	t := &Task{TID: j.TID}
	bindQueues(t, s)
	j.in, j.out, j.controlIn, j.controlOut = t.In, t.Out, t.ControlIn, t.ControlOut
	switch {
	case j.in == "":
	case input != nil:
		j.item0, j.item = input, input.Body
	case j.item != noItem || j.Input != "":
		j.refused = "request has an inbox_message, but its task takes its work item from the queue " + j.in
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
