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

// A duty is a persistent task at work: it takes one item after the other, from the
// manager while that is there, else from the store, until the task is told to end.
// Between two items it waits for events and does nothing. It keeps nothing of an
// item that has ended.
type duty struct {
	c     *Consumer
	a     *Assignment
	alone *alone
	s     *session
	ev    events

	seq    int             // of the latest hand-off
	done   *ledger.HandOff // that one, until it is known to be recorded
	out    *outputs        // likewise
	given  *ledger.Item    // the next item, which is reserved
	held   bool            // the task is to stand still
	inbox  *broker.Waiter  // when it is alone
	asleep bool            // the title says that it waits
}

func (c *Consumer) newDuty(a *Assignment, alone *alone, s *session, ev events) *duty {
	d := &duty{c: c, a: a, alone: alone, s: s, ev: ev}
	d.ev.paused = func(paused bool) {
		d.held = paused
		ev.paused(paused)
	}
	return d
}

// serve works until the task is told to end. It returns the last hand-off, and what
// that describes. An error means that there is nobody to hand anything to.
func (d *duty) serve() (*ledger.HandOff, *outputs, error) {
	defer func() {
		if d.inbox != nil {
			d.inbox.Close()
		}
	}()
	for {
		item, err := d.next()
		if err != nil {
			return nil, nil, err
		}
		if item == nil {
			d.seq++
			return &ledger.HandOff{TID: d.a.TID, Epoch: d.a.Epoch, Seq: d.seq, Outcome: d.ending(), Ended: time.Now()}, new(outputs), nil
		}
		h, out := d.work(item)
		if h.Outcome.Ordered() {
			return h, out, nil
		}
		d.done, d.out = h, out
	}
}

// work works on one item.
func (d *duty) work(item *ledger.Item) (*ledger.HandOff, *outputs) {
	a, failed := d.a.forItem(item)
	begin := d.c.beginner(a, d.alone, item.Message.String())
	if failed != nil {
		begin = func() (*command, *taskspec.Outcome) { return nil, failed }
	}
	if d.asleep {
		d.asleep = false
		a.show(taskspec.StatusRunning)
	}
	h, out := execute(a, begin, func() {}, d.ev)
	d.seq++
	h.Seq, h.Item = d.seq, item.Message
	return h, out
}

// next hands off the item that has been worked on, and waits for another. It
// returns nil when the task is told to end.
func (d *duty) next() (*ledger.Item, error) {
	if d.done != nil && d.c.link.Send(Report{Item: d.done}) == nil && d.a.Function != nil {
		d.c.prepare(d.a)
	}
	for {
		switch {
		case d.done != nil: // an item comes with the answer
		case d.told():
			return nil, nil
		case d.given != nil && !d.held:
			item := d.given
			d.given = nil
			return item, nil
		default:
			d.sleep()
		}
		told := d.s.told
		if d.done != nil {
			told = nil // it is recorded before the end is
		}
		select {
		case n := <-d.s.items:
			if n.Seq == d.seq { // another one was sent before the manager was gone
				d.recorded()
				d.given = n.Item
			}
		case <-told:
		case hold := <-d.s.holds:
			d.hold(hold)
		case <-d.s.lost:
			return d.nextAlone()
		}
	}
}

// nextAlone is next without a manager.
func (d *duty) nextAlone() (*ledger.Item, error) {
	if d.inbox == nil {
		if err := d.alone.patiently(d.s.told, func(b *broker.Broker) (err error) {
			d.inbox, err = b.Listen(d.a.Inbox)
			return err
		}); err != nil && !d.told() {
			return nil, fmt.Errorf("listen to the inbox of task %s: %w", d.a.TID, err)
		}
	}
	d.given = nil // it is reserved, and returned again
	take, look := true, firstLook
	for {
		var item *ledger.Item
		var due time.Time
		var err error
		over := d.told() || d.a.StopOnLoss
		if take || over {
			item, due, err = d.alone.takeItem(ledger.Turn{TID: d.a.TID, Epoch: d.a.Epoch, Done: d.done, Last: over})
		} else if take, due, err = d.alone.itemWaits(); take {
			continue
		}
		if err != nil {
			return nil, err
		}
		d.recorded()
		if over || item != nil && !d.held {
			return item, nil
		}
		d.sleep()
		take, look = d.await(look, due)
	}
}

// firstLook and lastLook are how long a consumer that is alone waits for a ring
// before it looks by itself, as a waiter of the broker does.
const (
	firstLook = time.Second
	lastLook  = 5 * time.Second
)

// await waits until there may be something to do. It says whether to try and take an
// item without looking first, and how long to wait the next time.
func (d *duty) await(look time.Duration, due time.Time) (take bool, next time.Duration) {
	pause, next := look, min(2*look, lastLook)
	if !due.IsZero() {
		pause = min(pause, time.Until(due))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-d.inbox.C():
		return false, firstLook
	case <-timer.C:
		return false, next
	case hold := <-d.s.holds:
		d.hold(hold)
		return true, firstLook
	case <-d.s.told:
		return false, firstLook
	}
}

// recorded notes that the latest hand-off is in the store.
func (d *duty) recorded() {
	if d.out != nil {
		d.out.discard()
	}
	d.done, d.out = nil, nil
}

// told reports whether somebody has asked for the end of the task.
func (d *duty) told() bool {
	select {
	case <-d.s.told:
		return true
	default:
		return false
	}
}

// ending is how the task ends that was told to while it waits, or that ends with
// its manager.
func (d *duty) ending() taskspec.Outcome {
	if d.told() && d.s.first == RequestKill {
		return taskspec.Killed()
	}
	return taskspec.Stopped()
}

// hold lets the task stand still between two items, or go on.
func (d *duty) hold(hold bool) {
	if hold != d.held {
		d.ev.paused(hold)
	}
}

// sleep says in the title that the task waits.
func (d *duty) sleep() {
	if !d.asleep {
		d.asleep = true
		d.a.show(statusWaiting)
	}
}

// takeItem carries out a turn of the task.
func (a *alone) takeItem(u ledger.Turn) (item *ledger.Item, due time.Time, err error) {
	err = a.patiently(nil, func(b *broker.Broker) error {
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

// itemWaits looks whether there is an item.
func (a *alone) itemWaits() (waits bool, due time.Time, err error) {
	err = a.patiently(nil, func(b *broker.Broker) error {
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
