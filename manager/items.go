package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/engine"
	"weft/internal/ledger"
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

// takeItem takes the next item of a task.
func takeItem(tx *broker.Tx, r ledger.ItemRequest, now time.Time) (next nextItem, err error) {
	next.item, next.due, err = ledger.TakeItem(tx, r, now)
	return next, err
}

// requestItem records the result of an item and asks for the next one, for a consumer that
// waits for the answer. done is nil if it has had no item.
func (l *loop) requestItem(c *consumer, done *ledger.HandOff) {
	asks := &ledger.ItemRequest{TID: c.task.tid, Epoch: c.task.epoch, Done: done}
	c.asks = asks
	var next nextItem
	var taken bool // else the task cannot continue
	l.Add(engine.Change{
		What: "take next item of task", TID: asks.TID,
		Write: func(tx *broker.Tx, now time.Time) (err error) {
			next, err = takeItem(tx, *asks, now)
			taken = err == nil
			return unlessStale(err)
		},
		Written: func(error) {
			c.asks = nil
			l.sendItem(c, next)
			if !taken {
				_ = c.link.Send(consumers.Order{End: consumers.RequestKill})
			}
		},
		Failed: func(error) bool {
			if done == nil { // it is asked for again
				c.asks, l.Stale[engine.Items] = nil, true
			}
			return done != nil
		},
	})
}

// refuseItem has a consumer that is ending, or dead, get no further item.
func (c *consumer) refuseItem() {
	if c.asks != nil {
		c.asks.Last = true
	}
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
	_ = c.link.Send(consumers.Order{Next: &consumers.Next{Seq: c.handed, Item: next.item}}) // if it is dead, that will be reported
	c.known, c.waitsForItem = nil, next.item == nil
	if !c.waitsForItem {
		c.expectEnd(time.Now())
		return
	}
	l.items.due = earliest(l.items.due, next.due)
}
