package consumer

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// statusWaiting is the status that the process title shows for a persistent task without an
// item.
const statusWaiting taskspec.Status = "waiting"

// A persistentLoop runs a persistent task: it takes one item after the other, from the
// manager while there is one, else from the store, until the task is told to end. Between
// two items it waits for events and does nothing. It keeps nothing of an item that has
// ended.
type persistentLoop struct {
	c       *Consumer
	a       *ledger.Assignment
	journal *storeJournal
	control *taskControl
	ev      taskEvents

	seq     int             // of the latest hand-off
	handOff *ledger.HandOff // the latest, until it is recorded
	out     *outputs        // its outputs
	next    *ledger.Item    // reserved
	paused  bool            // the task is to be paused
	inbox   *broker.Waiter  // set without a manager
	idle    bool            // the title shows statusWaiting
}

func (c *Consumer) newPersistentLoop(a *ledger.Assignment, journal *storeJournal, s *taskControl, ev taskEvents) *persistentLoop {
	d := &persistentLoop{c: c, a: a, journal: journal, control: s, ev: ev}
	d.ev.paused = func(paused bool) {
		d.paused = paused
		ev.paused(paused)
	}
	return d
}

// run works until the task is told to end. It returns the last hand-off and its outputs. An
// error means that the hand-off cannot be recorded anywhere.
func (l *persistentLoop) run() (*ledger.HandOff, *outputs, error) {
	defer func() {
		if l.inbox != nil {
			l.inbox.Close()
		}
	}()
	for {
		item, err := l.nextItem()
		if err != nil {
			return nil, nil, err
		}
		if item == nil {
			l.seq++
			return &ledger.HandOff{TID: l.a.TID, Epoch: l.a.Epoch, Seq: l.seq, Outcome: l.outcome(), Ended: time.Now()}, new(outputs), nil
		}
		h, out := l.runItem(item)
		if h.Outcome.Ordered() {
			return h, out, nil
		}
		l.handOff, l.out = h, out
	}
}

// runItem works on one item.
func (l *persistentLoop) runItem(item *ledger.Item) (*ledger.HandOff, *outputs) {
	a, failed := l.a.ForItem(item)
	begin := l.c.startFunc(a, l.journal, item.Message.String())
	if failed != nil {
		begin = func() (*command, *taskspec.Outcome) { return nil, failed }
	}
	if l.idle {
		l.idle = false
		showTitle(a, taskspec.StatusRunning)
	}
	h, out := execute(a, begin, func() {}, l.ev)
	l.seq++
	h.Seq, h.Item = l.seq, item.Message
	return h, out
}

// nextItem hands off the item that has ended, and waits for the next. It returns nil when
// the task is told to end.
func (l *persistentLoop) nextItem() (*ledger.Item, error) {
	if l.handOff != nil && l.c.link.Send(Report{Item: l.handOff}) == nil && l.a.Function != nil {
		l.c.startSpareWorker(l.a)
	}
	for {
		switch {
		case l.handOff != nil: // the answer brings an item
		case l.stopRequested():
			return nil, nil
		case l.next != nil && !l.paused:
			item := l.next
			l.next = nil
			return item, nil
		default:
			l.showWaiting()
		}
		stop := l.control.stopRequested
		if l.handOff != nil {
			stop = nil // the hand-off is recorded first
		}
		select {
		case n := <-l.control.items:
			if n.Seq == l.seq { // else it answers an earlier hand-off
				l.recorded()
				l.next = n.Item
			}
		case <-stop:
		case hold := <-l.control.holds:
			l.setPaused(hold)
		case <-l.control.lost:
			return l.nextFromStore()
		}
	}
}

// nextFromStore is nextItem without a manager.
func (l *persistentLoop) nextFromStore() (*ledger.Item, error) {
	if l.inbox == nil {
		if err := l.journal.retry(l.control.stopRequested, func(b *broker.Broker) (err error) {
			l.inbox, err = b.Listen(l.a.Inbox)
			return err
		}); err != nil && !l.stopRequested() {
			return nil, fmt.Errorf("listen to the inbox of task %s: %w", l.a.TID, err)
		}
	}
	l.next = nil // it is reserved, and the store returns it again
	take, poll := true, broker.MinPoll
	for {
		var item *ledger.Item
		var due time.Time
		var err error
		over := l.stopRequested() || l.a.Work.StopOnManagerLoss()
		if take || over {
			item, due, err = l.journal.nextItem(ledger.ItemRequest{TID: l.a.TID, Epoch: l.a.Epoch, Done: l.handOff, Last: over})
		} else if take, due, err = l.journal.itemAvailable(); take {
			continue
		}
		if err != nil {
			return nil, err
		}
		l.recorded()
		if over || item != nil && !l.paused {
			return item, nil
		}
		l.showWaiting()
		take, poll = l.wait(poll, due)
	}
}

// wait waits until there may be something to do. It returns whether to take an item without
// checking for one first, and the next interval.
func (l *persistentLoop) wait(poll time.Duration, due time.Time) (take bool, next time.Duration) {
	pause, next := poll, min(2*poll, broker.MaxPoll)
	if !due.IsZero() {
		pause = min(pause, time.Until(due))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-l.inbox.C():
		return false, broker.MinPoll
	case <-timer.C:
		return false, next
	case hold := <-l.control.holds:
		l.setPaused(hold)
		return true, broker.MinPoll
	case <-l.control.stopRequested:
		return false, broker.MinPoll
	}
}

// recorded notes that the latest hand-off is in the store.
func (l *persistentLoop) recorded() {
	if l.out != nil {
		l.out.discard()
	}
	l.handOff, l.out = nil, nil
}

// stopRequested reports whether the task has been told to end.
func (l *persistentLoop) stopRequested() bool {
	select {
	case <-l.control.stopRequested:
		return true
	default:
		return false
	}
}

// outcome returns the outcome of a task that is told to end while it waits, or that ends
// with its manager.
func (l *persistentLoop) outcome() taskspec.Outcome {
	if l.stopRequested() && l.control.firstRequest == RequestKill {
		return taskspec.Killed()
	}
	return taskspec.Stopped()
}

// setPaused pauses the task between two items, or resumes it.
func (l *persistentLoop) setPaused(hold bool) {
	if hold != l.paused {
		l.ev.paused(hold)
	}
}

// showWaiting shows in the title that the task waits.
func (l *persistentLoop) showWaiting() {
	if !l.idle {
		l.idle = true
		showTitle(l.a, statusWaiting)
	}
}

// nextItem hands off one item and reserves the next.
func (j *storeJournal) nextItem(u ledger.ItemRequest) (item *ledger.Item, due time.Time, err error) {
	err = j.retry(nil, func(b *broker.Broker) error {
		return b.Update(context.Background(), func(tx *broker.Tx) (err error) {
			item, due, err = ledger.TakeItem(tx, u, time.Now())
			return err
		})
	})
	if err != nil {
		err = fmt.Errorf("hand off item of task %s: %w", j.task.TID, err)
	}
	return item, due, err
}

// itemAvailable reports whether there is an item.
func (j *storeJournal) itemAvailable() (waits bool, due time.Time, err error) {
	err = j.retry(nil, func(b *broker.Broker) error {
		return b.View(context.Background(), func(r broker.Reader) (err error) {
			waits, due, err = ledger.ItemWaits(r, j.task.TID, time.Now())
			return err
		})
	})
	if err != nil {
		err = fmt.Errorf("look for items of task %s: %w", j.task.TID, err)
	}
	return waits, due, err
}
