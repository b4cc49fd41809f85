package ledger

import (
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// Items is how far a persistent task is, over all its epochs. Which item it works
// on says [Task].Message; while that is 0 the task waits for one.
type Items struct {
	Done       int64     `json:"done"`   // items that completed
	Failed     int64     `json:"failed"` // items that did not
	BackingOff []Backoff `json:"resting,omitempty"`
}

// A Backoff is an item that the task has failed on and put back, and leaves alone for
// a while.
type Backoff struct {
	Message  broker.ID `json:"message_id"`
	Failures int       `json:"failures"` // in a row
	Until    int64     `json:"until"`    // nanoseconds since 1970
}

// maxBackingOff is how many items may rest at once, so that the record stays small.
// When there are as many the task takes no others until one of them is due.
const maxBackingOff = 8

// An Item is a message that a persistent task works on.
type Item struct {
	Message broker.ID `json:"message_id"`
	Body    string    `json:"body"`
}

// A ItemRequest is what one transaction does for a persistent task: it records what became
// of one item, and reserves the next.
type ItemRequest struct {
	TID   string
	Epoch int
	Done  *HandOff // of the item before; nil if there was none
	Last  bool     // reserve no other
}

// The events that tell of an item when it has ended. There is none when it begins:
// the record says which item a task works on, and history has one line an item.
const (
	eventItemCompleted = "work_item_completed"
	eventItemFailed    = "work_item_failed"
)

// TakeItem carries out a turn. next is the item to work on, nil if there is none
// now; then due says when a resting one can be taken, zero if none rests. An item
// that is reserved already is returned again: who asks has not begun it. Repeating a
// turn has no effect and is no error; [ErrStale] is as of [Finish].
func TakeItem(tx *broker.Tx, u ItemRequest, now time.Time) (next *Item, due time.Time, err error) {
	t, err := load(tx, u.TID)
	if err != nil {
		return nil, due, err
	}
	if t.Epoch != u.Epoch || t.Status != taskspec.StatusRunning || t.Items == nil {
		return nil, due, fmt.Errorf("next item of task %s: %w", u.TID, ErrStale)
	}
	changed := false
	if h := u.Done; h != nil && h.Seq > t.Seq {
		if h.Item != t.Message {
			return nil, due, fmt.Errorf("hand off item %v of task %s: %w", h.Item, u.TID, ErrStale)
		}
		policy, err := endItem(tx, t, h)
		if err == nil {
			err = t.applyPolicy(tx, policy)
		}
		if err != nil {
			return nil, due, err
		}
		t.Message, changed = 0, true
	}
	if !u.Last && t.Ordered == "" {
		before := t.Message
		if next, due, err = reserveItem(tx, t, now); err != nil {
			return nil, due, err
		}
		changed = changed || t.Message != before
	}
	if changed {
		err = t.save(tx)
	}
	return next, due, err
}

// endItem writes the result of the item that the task works on, counts it, and
// tells history. What becomes of its message is for the caller, by the policy that
// it returns.
func endItem(tx *broker.Tx, t *Task, h *HandOff) (taskspec.Policy, error) {
	work, err := t.work()
	if err != nil {
		return "", err
	}
	if err := writeItemResult(tx, t, h, work.Type); err != nil {
		return "", err
	}
	policy := h.Outcome.Policy(*work)
	items := *t.Items // the transaction may run again
	t.Items = &items
	completed := h.Outcome.Status == taskspec.StatusCompleted
	if completed {
		items.Done++
	} else {
		items.Failed++
	}
	again := policy == taskspec.PolicyRequeue && !h.Outcome.Ordered()
	items.BackingOff = backingOff(items.BackingOff, h.Item, again, h.Ended)
	t.Seq, t.Process, t.Usage, t.Progress, t.Narrowed = h.Seq, proc.Identity{}, h.Usage, nil, h.Narrowed
	name := eventItemFailed
	if completed {
		name = eventItemCompleted
	}
	return policy, logItem(tx, t, name, h)
}

// backingOff are the items that rest after one has ended.
func backingOff(resting []Backoff, ended broker.ID, putBack bool, now time.Time) []Backoff {
	i := slices.IndexFunc(resting, func(r Backoff) bool { return r.Message == ended })
	r := Backoff{Message: ended}
	if i >= 0 {
		r = resting[i]
		resting = slices.Delete(slices.Clone(resting), i, i+1)
	}
	if !putBack {
		return resting
	}
	r.Failures++
	r.Until = now.Add(taskspec.ItemRest(r.Failures)).UnixNano()
	return append(slices.Clip(resting), r)
}

// reserveItem makes the next item the reserved message, unless the task is to stand
// still. It returns the one that is reserved already if there is one.
func reserveItem(tx *broker.Tx, t *Task, now time.Time) (next *Item, due time.Time, err error) {
	reserved := QueuesOf(t.TID).Reserved
	if t.Message != 0 {
		ms, err := tx.Messages(reserved, broker.Select{ID: t.Message})
		if err != nil || len(ms) > 0 {
			return firstItem(ms), due, err
		}
		t.Message = 0 // somebody has taken it away by hand
	}
	if t.Hold {
		return nil, due, nil
	}
	sel := broker.Select{Limit: 1}
	if len(t.Items.BackingOff) > 0 {
		if sel.ID, due, err = chooseItem(tx, t, now); sel.ID == 0 || err != nil {
			return nil, due, err
		}
	}
	ms, err := tx.Move(inboxOf(t), reserved, sel)
	if next = firstItem(ms); next != nil {
		t.Message = next.Message
	}
	return next, due, err
}

func firstItem(ms []broker.Message) *Item {
	if len(ms) == 0 {
		return nil
	}
	return &Item{ms[0].ID, ms[0].Body}
}

// chooseItem returns which message the task takes next, or when it can take one that
// rests: a resting one that is due, else the oldest of the others.
func chooseItem(r store, t *Task, now time.Time) (id broker.ID, due time.Time, err error) {
	var kept []Backoff
	for _, rest := range t.Items.BackingOff {
		until := time.Unix(0, rest.Until)
		// A clock that was set back does not make a rest longer.
		if wait := until.Sub(now); wait > 0 && wait <= taskspec.MaxRest {
			if kept = append(kept, rest); due.IsZero() || until.Before(due) {
				due = until
			}
			continue
		}
		ms, err := r.Messages(inboxOf(t), broker.Select{ID: rest.Message})
		if err != nil {
			return 0, due, err
		}
		if len(ms) == 0 {
			continue // others that share the inbox have it, or somebody has taken it away
		}
		if kept = append(kept, rest); id == 0 {
			id = rest.Message
		}
	}
	items := *t.Items
	items.BackingOff = kept
	t.Items = &items
	if id != 0 || len(kept) >= maxBackingOff {
		return id, due, nil
	}
	ms, err := r.Messages(inboxOf(t), broker.Select{Limit: len(kept) + 1})
	for _, m := range ms {
		if !slices.ContainsFunc(kept, func(r Backoff) bool { return r.Message == m.ID }) {
			return m.ID, due, nil
		}
	}
	return 0, due, err
}

// ItemWaits reports whether a persistent task that waits can take an item now, or
// when it can take one that rests.
func ItemWaits(r broker.Reader, tid string, now time.Time) (waits bool, due time.Time, err error) {
	t, err := tasks.get(r, tid)
	if unreadable(err) {
		return false, due, nil
	}
	if err != nil || t.Items == nil || t.Hold || t.Ordered != "" {
		return false, due, err
	}
	id, due, err := chooseItem(r, t, now)
	return id != 0, due, err
}

// finishPersistent records the end of a persistent task. What it worked on has its result
// and follows the policy; an item that it was given and never began is put back.
func finishPersistent(tx *broker.Tx, t *Task, h *HandOff) error {
	switch {
	case h.Item != 0:
		if _, err := endItem(tx, t, h); err != nil {
			return err
		}
	case t.Message != 0:
		if _, err := tx.Move(QueuesOf(t.TID).Reserved, inboxOf(t), broker.Select{ID: t.Message}); err != nil {
			return err
		}
		t.Message = 0
	}
	t.Seq = h.Seq
	var e Event
	if h.Item != 0 {
		e.MessageID = h.Item.String()
	}
	return t.conclude(tx, h.Outcome, h.Ended.UnixNano(), e)
}

// putItemsBack puts all messages that the policies of a persistent task have kept
// back into its inbox, under their ids. None of them rests.
func putItemsBack(tx *broker.Tx, t *Task) error {
	t.Items.BackingOff = nil
	_, err := tx.MoveAll(QueuesOf(t.TID).Reserved, inboxOf(t), broker.Select{})
	return err
}

// PutItem puts an item into the inbox of a persistent task and returns the id of
// its message. Errors wrap [ErrNotRunning] if the task has ended, or
// [ErrNotPersistent].
func PutItem(tx *broker.Tx, tid, body string) (broker.ID, error) {
	t, err := load(tx, tid)
	switch {
	case err != nil:
		return 0, err
	case t.Items == nil:
		return 0, ErrNotPersistent
	case t.Status.Terminal():
		return 0, fmt.Errorf("%w: it %s", ErrNotRunning, t.Status)
	}
	return tx.Write(inboxOf(t), body)
}

// Inbox is the queue that the items of the job's task come from; empty unless it is
// persistent.
func (j *Job) Inbox() string {
	if !j.Work.Persistent {
		return ""
	}
	return inboxOf(&Task{TID: j.TID, In: j.in})
}
