package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// An itemSource finds items for the persistent tasks that wait for one. It keeps one name
// for each inbox.
type itemSource struct {
	inboxes   *broker.Waiter
	listening map[string]bool // the queues that inboxes listens to
	stale     bool            // there may be new items
	due       time.Time       // when a delayed item is due; zero: none is
}

// listen subscribes to an inbox, unless the name is empty.
func (s *itemSource) listen(inbox string) error {
	if inbox == "" || s.listening[inbox] {
		return nil
	}
	s.listening[inbox] = true
	return s.inboxes.Add(inbox)
}

// wake returns when to look for items, unless an event comes first; zero means never.
func (s *itemSource) wake(stopping bool) time.Time {
	if stopping {
		return time.Time{}
	}
	return s.due
}

// undo drops requests for a first or next item that could not be written. They are made
// again.
func (s *itemSource) undo(w *changes) {
	w.items = slices.DeleteFunc(w.items, func(i itemRequest) bool { return i.request.Done == nil })
	s.stale = true
}

// A nextItem is what [ledger.TakeItem] returns.
type nextItem struct {
	item *ledger.Item
	due  time.Time
}

// An itemRequest records the result of an item and asks for the next; the consumer waits
// for the answer.
type itemRequest struct {
	from    *consumer
	request ledger.ItemRequest
	next    nextItem
	done    bool // it is written; else the task cannot continue
}

// write performs the request.
func (i *itemRequest) write(tx *broker.Tx, now time.Time) (err error) {
	i.next.item, i.next.due, err = ledger.TakeItem(tx, i.request, now)
	if i.done = err == nil; errors.Is(err, ledger.ErrStale) {
		err = nil // the task has ended in another way
	}
	if err != nil {
		return fmt.Errorf("next item of task %s: %w", i.request.TID, err)
	}
	return nil
}

// first takes the first item of a persistent task that has been dispatched.
func (d *dispatched) first(tx *broker.Tx, now time.Time) (err error) {
	if d.task == nil || !d.job.Work.Persistent {
		return nil
	}
	d.next.item, d.next.due, err = ledger.TakeItem(tx, ledger.ItemRequest{TID: d.job.TID, Epoch: d.job.Epoch}, now)
	if err != nil {
		return fmt.Errorf("first item of task %s: %w", d.job.TID, err)
	}
	return nil
}

// refuseItems marks the requests of a consumer that is ending, or dead, to get no further
// item.
func (w *changes) refuseItems(c *consumer) {
	for i := range w.items {
		if w.items[i].from == c {
			w.items[i].request.Last = true
		}
	}
}

// findItems looks for items for the waiting tasks, if there may be some.
func (l *loop) findItems(ctx context.Context, w *changes, now time.Time) error {
	s := &l.items
	if !s.stale && (s.due.IsZero() || now.Before(s.due)) {
		return nil
	}
	inUse := make(map[string]bool)
	var waiting []*consumer
	for _, c := range l.pool.busy() {
		inUse[c.inbox] = true
		if c.waitsForItem {
			waiting = append(waiting, c)
		}
	}
	for inbox := range s.listening {
		if !inUse[inbox] {
			s.inboxes.Remove(inbox)
			delete(s.listening, inbox)
		}
	}
	var found []itemRequest
	var due time.Time
	if len(waiting) > 0 {
		err := l.view(ctx, func(r broker.Reader) error {
			found, due = nil, time.Time{}
			for _, c := range waiting {
				waits, itemDue, err := ledger.ItemWaits(r, c.task.tid, now)
				if err != nil {
					return err
				}
				if waits {
					found = append(found, itemRequest{from: c, request: ledger.ItemRequest{TID: c.task.tid, Epoch: c.task.epoch}})
				}
				due = earliest(due, itemDue)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for items: %w", err)
		}
	}
	s.stale, s.due = false, due
	w.items = append(w.items, found...)
	return nil
}

// replyItem tells the consumer of a task what to do next.
func (l *loop) replyItem(i itemRequest) {
	l.sendItem(i.from, i.next)
	if !i.done {
		_ = i.from.link.Send(runner.Order{End: runner.RequestKill})
	}
}

// sendItem sends the next item to the consumer, or makes it wait.
func (l *loop) sendItem(c *consumer, next nextItem) {
	_ = c.link.Send(runner.Order{Next: &runner.Next{Seq: c.handed, Item: next.item}}) // if it is dead, that will be reported
	c.known, c.waitsForItem = nil, next.item == nil
	if !c.waitsForItem {
		c.expectEnd(time.Now())
		return
	}
	l.items.due = earliest(l.items.due, next.due)
}
