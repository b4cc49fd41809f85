package ledger

import (
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// Items is the progress of a persistent task over all its epochs. [Task].Message is the
// item it works on; while that is 0 the task waits for one.
type Items struct {
	Done       int64     `json:"done"`   // items that completed
	Failed     int64     `json:"failed"` // items that did not
	BackingOff []Backoff `json:"resting,omitempty"`
}

// A Backoff is an item that the task has failed on and put back, and does not take again
// until later.
type Backoff struct {
	Message  broker.ID `json:"message_id"`
	Failures int       `json:"failures"` // in a row
	Until    int64     `json:"until"`    // nanoseconds since 1970
}

// maxBackingOff is how many items may be delayed at once, so that the record stays small.
// If there are as many the task takes no others until one of them is due.
const maxBackingOff = 8

// An Item is a message that a persistent task works on.
type Item struct {
	Message broker.ID `json:"message_id"`
	Body    string    `json:"body"`
}

// An ItemRequest is what one transaction does for a persistent task: it records the result
// of one item, and reserves the next.
type ItemRequest struct {
	TID   string
	Epoch int
	Done  *HandOff // of the previous item; nil if there was none
	Last  bool     // reserve no further item
}

// The events for the end of an item. There is none for its start: the record holds the item
// a task works on, and the log one entry an item.
const (
	eventItemCompleted = "work_item_completed"
	eventItemFailed    = "work_item_failed"
)

// TakeItem applies an item request. next is the item to work on, nil if there is none now;
// then due is when a delayed one can be taken, zero if there is none. An item that is
// reserved already is returned again: its consumer has not started it. Repeating a request
// has no effect and is no error; [ErrStale] is as for [Finish].
func TakeItem(tx *broker.Tx, u ItemRequest, now time.Time) (next *Item, due time.Time, err error) {
	t, err := load(tx, u.TID)
	if err != nil {
		return nil, due, err
	}
	if t.Epoch != u.Epoch || t.Status != taskspec.StatusRunning || !t.traits().items {
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

// endItem writes the result of the item that the task works on, counts it, and logs it. The
// caller applies the policy that it returns to the message.
func endItem(tx *broker.Tx, t *Task, h *HandOff) (taskspec.Policy, error) {
	work, err := t.Work()
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
	o := h.Outcome
	return policy, t.log(tx, name, h.Ended.UnixNano(), Event{
		TaskPID: h.Process.PID, ReturnCode: o.ReturnCode, Error: o.Error, LimitMeans: o.LimitMeans, Details: o.Details,
		MessageID: h.Item.String(), Bytes: &h.Output.Size, Usage: &h.Usage,
	})
}

// backingOff returns the delayed items after one has ended.
func backingOff(delayed []Backoff, ended broker.ID, putBack bool, now time.Time) []Backoff {
	i := slices.IndexFunc(delayed, func(r Backoff) bool { return r.Message == ended })
	r := Backoff{Message: ended}
	if i >= 0 {
		r = delayed[i]
		delayed = slices.Delete(slices.Clone(delayed), i, i+1)
	}
	if !putBack {
		return delayed
	}
	r.Failures++
	r.Until = now.Add(taskspec.ItemRest(r.Failures)).UnixNano()
	return append(slices.Clip(delayed), r)
}

// reserveItem makes the next item the reserved message, unless the task is to pause. It
// returns the item that is reserved already if there is one.
func reserveItem(tx *broker.Tx, t *Task, now time.Time) (next *Item, due time.Time, err error) {
	reserved := QueuesOf(t.TID).Reserved
	if t.Message != 0 {
		ms, err := tx.Messages(reserved, broker.Select{ID: t.Message})
		if err != nil || len(ms) > 0 {
			return firstItem(ms), due, err
		}
		t.Message = 0 // it has been removed by hand
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

// chooseItem returns the message that the task takes next, or when it can take a delayed
// one: it prefers a delayed one that is due, then the oldest of the others.
func chooseItem(r broker.Reader, t *Task, now time.Time) (id broker.ID, due time.Time, err error) {
	var kept []Backoff
	for _, delayed := range t.Items.BackingOff {
		until := time.Unix(0, delayed.Until)
		// setting the clock back does not make a delay longer
		if wait := until.Sub(now); wait > 0 && wait <= taskspec.MaxRest {
			if kept = append(kept, delayed); due.IsZero() || until.Before(due) {
				due = until
			}
			continue
		}
		ms, err := r.Messages(inboxOf(t), broker.Select{ID: delayed.Message})
		if err != nil {
			return 0, due, err
		}
		if len(ms) == 0 {
			continue // another task that shares the inbox has it, or it has been removed
		}
		if kept = append(kept, delayed); id == 0 {
			id = delayed.Message
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

// ItemWaits reports whether a waiting persistent task can take an item now, or when it can
// take a delayed one.
func ItemWaits(r broker.Reader, tid string, now time.Time) (waits bool, due time.Time, err error) {
	t, err := tasks.get(r, tid)
	if unreadable(err) {
		return false, due, nil
	}
	if err != nil || !t.traits().items || t.Hold || t.Ordered != "" {
		return false, due, err
	}
	id, due, err := chooseItem(r, t, now)
	return id != 0, due, err
}

// endItems ends the work of a persistent task on its items. The one it worked on gets its
// result; a reserved one that was never started is put back.
func endItems(tx *broker.Tx, t *Task, h *HandOff) error {
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
	return nil
}

// itemEvent returns the further fields of the event that ends a persistent task while it
// works on this item, if it does.
func itemEvent(item broker.ID) (e Event) {
	if item != 0 {
		e.MessageID = item.String()
	}
	return e
}

// putItemsBack moves all messages that the policies of a persistent task have kept back
// into its inbox, under their ids. None of them is delayed.
func putItemsBack(tx *broker.Tx, t *Task) error {
	t.Items.BackingOff = nil
	_, err := tx.MoveAll(QueuesOf(t.TID).Reserved, inboxOf(t), broker.Select{})
	return err
}

// PutItem writes an item into the inbox of a persistent task and returns the id of its
// message. Errors wrap [ErrNotRunning] if the task has ended, or [ErrNotPersistent].
func PutItem(tx *broker.Tx, tid, body string) (broker.ID, error) {
	t, err := load(tx, tid)
	switch {
	case err != nil:
		return 0, err
	case !t.traits().items:
		return 0, ErrNotPersistent
	case t.Status.Terminal():
		return 0, fmt.Errorf("%w: it %s", ErrNotRunning, t.Status)
	}
	return tx.Write(inboxOf(t), body)
}
