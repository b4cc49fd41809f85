package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
)

// orderReceived is an order from the control socket. The loop sends on reply the channel of
// the last answer; nil means that the order is not for this manager.
type orderReceived struct {
	order control.Order
	reply chan<- (<-chan control.Answer)
}

// takeOrders turns orders from the control socket into events of the loop.
func takeOrders(events chan<- event) func(context.Context, control.Order, func(control.Answer)) {
	return func(ctx context.Context, o control.Order, answer func(control.Answer)) {
		reply := make(chan (<-chan control.Answer), 1)
		select {
		case events <- orderReceived{o, reply}:
		case <-ctx.Done():
			return
		}
		select {
		case done := <-reply:
			if done != nil {
				control.Relay(ctx, done, answer)
			}
		case <-ctx.Done():
		}
	}
}

// takeOrder notes an order, which is applied before anything is written.
func (l *loop) takeOrder(e orderReceived) {
	o, done := e.order, make(chan control.Answer, 1)
	c := l.pool.runs(o.TID)
	switch {
	case o.TID == "" && o.Command == ledger.CommandStatus:
		done <- control.Answer{Done: true, Problem: l.problem}
	case o.TID == "":
		l.orders = append(l.orders, order{what: o.Command})
		done <- control.Answer{Done: true}
	case c != nil:
		l.orders = append(l.orders, order{c.task, o.Command})
		e.reply <- c.orderWaiters().Add(o.Command)
		return
	case o.Queued:
		l.pending.note("order to task "+o.TID, func(tx *broker.Tx, now time.Time) error {
			_, err := ledger.End(tx, o.TID, o.Command, now)
			if errors.Is(err, broker.ErrNotFound) {
				return nil
			}
			return err
		})
		done <- control.Answer{Done: true}
	default:
		e.reply <- nil
		return
	}
	e.reply <- done
}

// orderWaiters are the clients that wait at the control socket for the effect of their
// orders.
func (c *consumer) orderWaiters() *control.Waiters {
	if c.waiters == nil {
		c.waiters = new(control.Waiters)
	}
	return c.waiters
}

// problemOf describes in a line what prevents the manager from writing, always in the same
// words, and what to do about it.
func problemOf(err error, dir string) string {
	switch {
	case errors.Is(err, broker.ErrFull):
		return fmt.Sprintf("%v: make room in %s", broker.ErrFull, dir)
	case errors.Is(err, broker.ErrUnwritable):
		return fmt.Sprintf("%v: see the limit on the size of its files (ulimit -f), the mount and the disk of %s", broker.ErrUnwritable, dir)
	case errors.Is(err, broker.ErrBusy):
		return fmt.Sprintf("%v: another process holds %s", broker.ErrBusy, dir)
	}
	return err.Error()
}

// runs returns the consumer that has the task, nil if none has.
func (p *pool) runs(tid string) *consumer {
	for _, c := range p.consumers {
		if c.state == busy && c.task.tid == tid {
			return c
		}
	}
	return nil
}

// stopSurvivors stops tasks whose consumers continue from an earlier manager and read their
// control messages themselves, from the store or the control socket.
func (l *loop) stopSurvivors(ctx context.Context) error {
	err := l.o.Broker.Update(ctx, func(tx *broker.Tx) error {
		for t := range l.pool.survivors {
			_, err := ledger.End(tx, t.tid, ledger.CommandStop, time.Now())
			if errors.Is(err, broker.ErrDamaged) {
				err = ledger.EndDamaged(tx, t.tid, ledger.CommandStop)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || !transient(err) {
		return err
	}
	for t := range l.pool.survivors {
		l.watch(func(ctx context.Context, _ func(event)) event {
			if _, err := control.Give(ctx, l.o.Dir, control.Order{TID: t.tid, Command: ledger.CommandStop}); err != nil {
				l.log.Error("stop task", "tid", t.tid, "err", err)
			}
			return nil
		})
	}
	return nil
}
