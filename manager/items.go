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

// A supply hears of items for the persistent tasks that wait for one. What it keeps
// is one name for each inbox.
type supply struct {
	inboxes *broker.Waiter
	heard   map[string]bool // the queues that inboxes listens to
	look    bool            // there may be items
	due     time.Time       // when an item can be taken that rests; zero: none is waited for
}

// listen hears the bell of an inbox; an empty name is none.
func (s *supply) listen(inbox string) error {
	if inbox == "" || s.heard[inbox] {
		return nil
	}
	s.heard[inbox] = true
	return s.inboxes.Add(inbox)
}

// wake is when to look, unless something happens before; zero: never.
func (s *supply) wake(stopping bool) time.Time {
	if stopping {
		return time.Time{}
	}
	return s.due
}

// withdraw drops from work that could not be written what only takes items. They
// are looked for anew.
func (s *supply) withdraw(w *work) {
	w.items = slices.DeleteFunc(w.items, func(i itemTurn) bool { return i.turn.Done == nil })
	s.look = true
}

// A nextItem is what [ledger.TakeItem] returns.
type nextItem struct {
	item *ledger.Item
	due  time.Time
}

// itemTurn is a turn of a persistent task, whose consumer waits for the answer.
type itemTurn struct {
	from *consumer
	turn ledger.Turn
	next nextItem
	done bool // it was written; else the task cannot go on
}

// write carries out the turn.
func (i *itemTurn) write(tx *broker.Tx, now time.Time) (err error) {
	i.next.item, i.next.due, err = ledger.TakeItem(tx, i.turn, now)
	if i.done = err == nil; errors.Is(err, ledger.ErrStale) {
		err = nil // the task has ended otherwise
	}
	if err != nil {
		return fmt.Errorf("next item of task %s: %w", i.turn.TID, err)
	}
	return nil
}

// first looks for the first item of a persistent task that has been dispatched.
func (d *dispatched) first(tx *broker.Tx, now time.Time) (err error) {
	if d.task == nil || !d.job.Work.Persistent {
		return nil
	}
	d.next.item, d.next.due, err = ledger.TakeItem(tx, ledger.Turn{TID: d.job.TID, Epoch: d.job.Epoch}, now)
	if err != nil {
		return fmt.Errorf("first item of task %s: %w", d.job.TID, err)
	}
	return nil
}

// takeNone lets the task of a consumer that is ending, or dead, get no other item.
func (w *work) takeNone(c *consumer) {
	for i := range w.items {
		if w.items[i].from == c {
			w.items[i].turn.Last = true
		}
	}
}

// seek looks for items for the tasks that wait, if there may be some.
func (l *loop) seek(ctx context.Context, w *work, now time.Time) error {
	s := &l.supply
	if !s.look && (s.due.IsZero() || now.Before(s.due)) {
		return nil
	}
	inUse := make(map[string]bool)
	var waiting []*consumer
	for _, c := range l.pool.busy() {
		inUse[c.inbox] = true
		if c.waits {
			waiting = append(waiting, c)
		}
	}
	for inbox := range s.heard {
		if !inUse[inbox] {
			s.inboxes.Remove(inbox)
			delete(s.heard, inbox)
		}
	}
	var found []itemTurn
	var due time.Time
	if len(waiting) > 0 {
		err := l.view(ctx, func(r broker.Reader) error {
			found, due = nil, time.Time{}
			for _, c := range waiting {
				waits, rests, err := ledger.ItemWaits(r, c.task.tid, now)
				if err != nil {
					return err
				}
				if waits {
					found = append(found, itemTurn{from: c, turn: ledger.Turn{TID: c.task.tid, Epoch: c.task.epoch}})
				}
				due = earliest(due, rests)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for items: %w", err)
		}
	}
	s.look, s.due = false, due
	w.items = append(w.items, found...)
	return nil
}

// answer tells the consumer of a task what it does next.
func (l *loop) answer(i itemTurn) {
	l.give(i.from, i.next)
	if !i.done {
		_ = i.from.link.Send(runner.Order{End: runner.RequestKill})
	}
}

// give gives a consumer the next item of its task, or lets it wait.
func (l *loop) give(c *consumer, next nextItem) {
	_ = c.link.Send(runner.Order{Next: &runner.Next{Seq: c.handed, Item: next.item}}) // if it is dead, that will be heard
	c.known, c.waits = nil, next.item == nil
	if !c.waits {
		c.begins(time.Now())
		return
	}
	l.supply.due = earliest(l.supply.due, next.due)
}
