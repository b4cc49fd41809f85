package runner

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// statusWaiting is what the process title says of a persistent task without an item.
const statusWaiting taskspec.Status = "waiting"

// A persistentLoop is a persistent task at work: it takes one item after the other, from the
// manager while that is there, else from the store, until the task is told to end.
// Between two items it waits for events and does nothing. It keeps nothing of an
// item that has ended.
type persistentLoop struct {
	c       *Consumer
	a       *Assignment
	journal *storeJournal
	control *taskControl
	ev      taskEvents

	seq     int             // of the latest hand-off
	handOff *ledger.HandOff // that one, until it is known to be recorded
	out     *outputs        // likewise
	next    *ledger.Item    // the next item, which is reserved
	paused  bool            // the task is to stand still
	inbox   *broker.Waiter  // when it is alone
	idle    bool            // the title says that it waits
}

func (c *Consumer) newPersistentLoop(a *Assignment, alone *storeJournal, s *taskControl, ev taskEvents) *persistentLoop {
	d := &persistentLoop{c: c, a: a, journal: alone, control: s, ev: ev}
	d.ev.paused = func(paused bool) {
		d.paused = paused
		ev.paused(paused)
	}
	return d
}

// run works until the task is told to end. It returns the last hand-off, and what
// that describes. An error means that there is nobody to hand anything to.
func (d *persistentLoop) run() (*ledger.HandOff, *outputs, error) {
	defer func() {
		if d.inbox != nil {
			d.inbox.Close()
		}
	}()
	for {
		item, err := d.nextItem()
		if err != nil {
			return nil, nil, err
		}
		if item == nil {
			d.seq++
			return &ledger.HandOff{TID: d.a.TID, Epoch: d.a.Epoch, Seq: d.seq, Outcome: d.outcome(), Ended: time.Now()}, new(outputs), nil
		}
		h, out := d.runItem(item)
		if h.Outcome.Ordered() {
			return h, out, nil
		}
		d.handOff, d.out = h, out
	}
}

// runItem works on one item.
func (d *persistentLoop) runItem(item *ledger.Item) (*ledger.HandOff, *outputs) {
	a, failed := d.a.forItem(item)
	begin := d.c.startFunc(a, d.journal, item.Message.String())
	if failed != nil {
		begin = func() (*command, *taskspec.Outcome) { return nil, failed }
	}
	if d.idle {
		d.idle = false
		a.showTitle(taskspec.StatusRunning)
	}
	h, out := execute(a, begin, func() {}, d.ev)
	d.seq++
	h.Seq, h.Item = d.seq, item.Message
	return h, out
}

// nextItem hands off the item that has been worked on, and waits for another. It
// returns nil when the task is told to end.
func (d *persistentLoop) nextItem() (*ledger.Item, error) {
	if d.handOff != nil && d.c.link.Send(Report{Item: d.handOff}) == nil && d.a.Function != nil {
		d.c.startSpareWorker(d.a)
	}
	for {
		switch {
		case d.handOff != nil: // an item comes with the answer
		case d.stopRequested():
			return nil, nil
		case d.next != nil && !d.paused:
			item := d.next
			d.next = nil
			return item, nil
		default:
			d.showWaiting()
		}
		told := d.control.stopRequested
		if d.handOff != nil {
			told = nil // it is recorded before the end is
		}
		select {
		case n := <-d.control.items:
			if n.Seq == d.seq { // another one was sent before the manager was gone
				d.recorded()
				d.next = n.Item
			}
		case <-told:
		case hold := <-d.control.holds:
			d.setPaused(hold)
		case <-d.control.lost:
			return d.nextFromStore()
		}
	}
}

// nextFromStore is next without a manager.
func (d *persistentLoop) nextFromStore() (*ledger.Item, error) {
	if d.inbox == nil {
		if err := d.journal.retry(d.control.stopRequested, func(b *broker.Broker) (err error) {
			d.inbox, err = b.Listen(d.a.Inbox)
			return err
		}); err != nil && !d.stopRequested() {
			return nil, fmt.Errorf("listen to the inbox of task %s: %w", d.a.TID, err)
		}
	}
	d.next = nil // it is reserved, and returned again
	take, look := true, minPoll
	for {
		var item *ledger.Item
		var due time.Time
		var err error
		over := d.stopRequested() || d.a.StopOnLoss
		if take || over {
			item, due, err = d.journal.nextItem(ledger.ItemRequest{TID: d.a.TID, Epoch: d.a.Epoch, Done: d.handOff, Last: over})
		} else if take, due, err = d.journal.itemAvailable(); take {
			continue
		}
		if err != nil {
			return nil, err
		}
		d.recorded()
		if over || item != nil && !d.paused {
			return item, nil
		}
		d.showWaiting()
		take, look = d.wait(look, due)
	}
}

// minPoll and lastLook are how long a consumer that is alone waits for a ring
// before it looks by itself, as a waiter of the broker does.
const (
	minPoll = time.Second
	maxPoll = 5 * time.Second
)

// wait waits until there may be something to do. It says whether to try and take an
// item without looking first, and how long to wait the next time.
func (d *persistentLoop) wait(look time.Duration, due time.Time) (take bool, next time.Duration) {
	pause, next := look, min(2*look, maxPoll)
	if !due.IsZero() {
		pause = min(pause, time.Until(due))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-d.inbox.C():
		return false, minPoll
	case <-timer.C:
		return false, next
	case hold := <-d.control.holds:
		d.setPaused(hold)
		return true, minPoll
	case <-d.control.stopRequested:
		return false, minPoll
	}
}

// recorded notes that the latest hand-off is in the store.
func (d *persistentLoop) recorded() {
	if d.out != nil {
		d.out.discard()
	}
	d.handOff, d.out = nil, nil
}

// stopRequested reports whether somebody has asked for the end of the task.
func (d *persistentLoop) stopRequested() bool {
	select {
	case <-d.control.stopRequested:
		return true
	default:
		return false
	}
}

// outcome is how the task ends that was told to while it waits, or that ends with
// its manager.
func (d *persistentLoop) outcome() taskspec.Outcome {
	if d.stopRequested() && d.control.firstRequest == RequestKill {
		return taskspec.Killed()
	}
	return taskspec.Stopped()
}

// setPaused lets the task stand still between two items, or go on.
func (d *persistentLoop) setPaused(hold bool) {
	if hold != d.paused {
		d.ev.paused(hold)
	}
}

// showWaiting says in the title that the task waits.
func (d *persistentLoop) showWaiting() {
	if !d.idle {
		d.idle = true
		d.a.showTitle(statusWaiting)
	}
}

// nextItem carries out a turn of the task.
func (a *storeJournal) nextItem(u ledger.ItemRequest) (item *ledger.Item, due time.Time, err error) {
	err = a.retry(nil, func(b *broker.Broker) error {
		return b.Update(context.Background(), func(tx *broker.Tx) (err error) {
			item, due, err = ledger.TakeItem(tx, u, time.Now())
			return err
		})
	})
	if err != nil {
		err = fmt.Errorf("hand off item of task %s: %w", a.task.TID, err)
	}
	return item, due, err
}

// itemAvailable looks whether there is an item.
func (a *storeJournal) itemAvailable() (waits bool, due time.Time, err error) {
	err = a.retry(nil, func(b *broker.Broker) error {
		return b.View(context.Background(), func(r broker.Reader) (err error) {
			waits, due, err = ledger.ItemWaits(r, a.task.TID, time.Now())
			return err
		})
	})
	if err != nil {
		err = fmt.Errorf("look for items of task %s: %w", a.task.TID, err)
	}
	return waits, due, err
}
