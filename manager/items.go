package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/runner"
)

// An itemSource knows where the items of persistent tasks come from. It keeps one name for
// each inbox.
type itemSource struct {
	listening map[string]bool // the inboxes that are listened to
	due       time.Time       // when a delayed item is due; zero: none is
}

// listenToInbox subscribes to an inbox, unless the name is empty.
func (l *loop) listenToInbox(inbox string) error {
	if inbox == "" || l.items.listening[inbox] {
		return nil
	}
	l.items.listening[inbox] = true
	return l.Waiters[engine.Items].Add(inbox)
}

// A nextItem is what [ledger.TakeItem] returns.
type nextItem struct {
	item *ledger.Item
	due  time.Time
}

// An itemRequest records the result of an item and asks for the next; the consumer waits
// for the answer.
type itemRequest struct {
	loop    *loop
	from    *consumer
	request ledger.ItemRequest
	next    nextItem
	done    bool // it is written; else the task cannot continue
}

// requestItem asks for an item for a consumer that is done with another one, or has none:
// then done is nil.
func (l *loop) requestItem(c *consumer, done *ledger.HandOff) {
	c.asks = &itemRequest{loop: l, from: c, request: ledger.ItemRequest{TID: c.task.tid, Epoch: c.task.epoch, Done: done}}
	l.Add(c.asks)
}

// refuseItem has a consumer that is ending, or dead, get no further item.
func (c *consumer) refuseItem() {
	if c.asks != nil {
		c.asks.request.Last = true
	}
}

func (i *itemRequest) Write(tx *broker.Tx, now time.Time) (err error) {
	i.next.item, i.next.due, err = ledger.TakeItem(tx, i.request, now)
	if i.done = err == nil; errors.Is(err, ledger.ErrStale) {
		err = nil // the task has ended in another way
	}
	if err != nil {
		return fmt.Errorf("next item of task %s: %w", i.request.TID, err)
	}
	return nil
}

func (i *itemRequest) Written(error) {
	i.from.asks = nil
	i.loop.sendItem(i.from, i.next)
	if !i.done {
		_ = i.from.link.Send(runner.Order{End: runner.RequestKill})
	}
}

// Failed drops a request without a result. It is made again.
func (i *itemRequest) Failed(error) bool {
	if i.request.Done != nil {
		return true
	}
	i.from.asks, i.loop.Stale[engine.Items] = nil, true
	return false
}

// findItems looks for items for the waiting tasks, if there may be some.
func (l *loop) findItems(ctx context.Context, now time.Time) error {
	s := &l.items
	if !l.Stale[engine.Items] && (s.due.IsZero() || now.Before(s.due)) {
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
			l.Waiters[engine.Items].Remove(inbox)
			delete(s.listening, inbox)
		}
	}
	var found []*consumer
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
					found = append(found, c)
				}
				due = earliest(due, itemDue)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for items: %w", err)
		}
	}
	l.Stale[engine.Items], s.due = false, due
	for _, c := range found {
		l.requestItem(c, nil)
	}
	return nil
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
