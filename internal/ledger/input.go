package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// waitingPrefix begins the names of the queues of requests for tasks that take
// their work items from a queue, whose name follows. Such a request costs nobody
// anything until there is an item for it.
const waitingPrefix = "weft.waiting."

// The names of the queues of a task that a spec may put others in the place of.
const (
	inboxName      = "inbox"
	outboxName     = "outbox"
	controlInName  = "ctrl_in"
	controlOutName = "ctrl_out"
)

// bindQueues notes the queues that a spec names instead of the task's own.
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

// inboxOf is the queue that the task's work item goes back into, and that the items
// of a persistent task come from.
func inboxOf(t *Task) string {
	if t.In != "" {
		return t.In
	}
	return QueuesOf(t.TID).Inbox
}

// WaitsFor is the queue that a task waits for which has not begun; empty if it
// waits for a slot only, or has begun.
func WaitsFor(t *Task) string {
	if t.Status != taskspec.StatusCreated || t.Items != nil {
		return ""
	}
	return t.In
}

// wakeManager wakes the manager for a request that is not where it listens.
func wakeManager(tx *broker.Tx, t *Task) {
	if t.In != "" {
		tx.Notify(Requests)
	}
}

// Ready is a request that can be given out, and the message of a queue that it is
// to get, if it waited for one.
type Ready struct{ Request, Item broker.Message }

// Oldest returns the oldest requests that can be given out, at most n, with ids
// above held: those up to it are not to be run. Of those that wait for a queue, who
// has waited longest gets the oldest message; of each queue none is read after
// messages that have reached size bytes together. inputs are the queues that
// requests wait for, with messages or without.
func Oldest(r broker.Reader, held broker.ID, n, size int) (ready []Ready, inputs []string, err error) {
	ms, err := Waiting(r, Requests, held, n, size)
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
		requests, err := Waiting(r, waitingPrefix+input, held, len(items), size)
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

// queuesBelow returns the queues whose names begin with prefix.
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

// inputMark is the state of the marks of nested requests that wait for a queue;
// their bodies name it.
const inputMark = "input"

// OldestNested is [Oldest] for the requests that tasks have made, which need no
// slot.
func OldestNested(r broker.Reader, held broker.ID, n int) (ready []Ready, err error) {
	ms, err := WaitingNested(r, held, n)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		ready = append(ready, Ready{Request: m})
	}
	given := make(map[string]bool) // queues whose oldest message has its request
	for mark, err := range marks.each(r, int64(held), inputMark) {
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

// PrepareReady is [Prepare] for a request and the message that it is to get.
func PrepareReady(r broker.Reader, root string, m Ready) (*Job, error) {
	if m.Item.ID == 0 {
		return Prepare(r, root, m.Request)
	}
	return prepare(r, root, m.Request, &m.Item)
}

// bindQueues notes the queues that the job's spec names. Of a request that waits for its
// work item nothing more is made ready.
func (j *Job) bindQueues(s *taskspec.Spec, supply *broker.Message) {
	t := &Task{TID: j.TID}
	bindQueues(t, s)
	j.in, j.out, j.controlIn, j.controlOut = t.In, t.Out, t.ControlIn, t.ControlOut
	switch {
	case j.in == "":
	case supply != nil:
		j.item0, j.item = supply, supply.Body
	case j.item != noItem || j.Input != "":
		j.refused = "request has an inbox_message, but its task takes its work item from the queue " + j.in
	default:
		j.Work = s.Spec
	}
}

// itemAvailable reports whether the job can still have its message. In a dispatch that
// must be the oldest of its queue, so that the order holds whatever became of
// those before it.
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

// putBack puts the message that the policy of a task has kept back into the queue
// it came from, under its id, so that it is the next again. The error is
// [ErrNoRetry] if it is in neither place.
func putBack(tx *broker.Tx, t *Task) error {
	if t.Message == 0 {
		return nil // it was stopped while it waited
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
