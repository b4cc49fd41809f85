package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/control"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// errReplaced means that another manager takes over.
var errReplaced = errors.New("replaced")

// Order applies an order from the control socket.
func (l *loop) Order(ctx context.Context, o control.Order) (<-chan control.Answer, error) {
	done := make(chan control.Answer, 1)
	switch c := l.pool.runs(o.TID); {
	case o.TID == "" && o.Command == ledger.CommandStatus:
		done <- control.Answer{Done: true, Problem: l.problem}
		return done, nil
	case o.TID == "":
		done <- control.Answer{Done: true}
		return done, l.Command(ctx, "", o.Command)
	case c != nil:
		return c.orderWaiters().Add(o.Command), l.Command(ctx, o.TID, o.Command)
	case !o.Queued:
		return nil, nil
	}
	l.note("note order", o.TID, func(tx *broker.Tx, now time.Time) error {
		_, err := ledger.End(tx, o.TID, o.Command, now)
		if errors.Is(err, broker.ErrNotFound) {
			return nil
		}
		return err
	})
	done <- control.Answer{Done: true}
	return done, nil
}

// Command passes a command on to the consumer of the task; the empty id means the manager.
func (l *loop) Command(ctx context.Context, tid string, what ledger.Command) error {
	switch {
	case tid == "" && what == ledger.CommandLeave:
		return errReplaced
	case tid == "":
		l.log.Info("told to stop", "command", what)
		return l.Stop(ctx)
	case what == ledger.CommandResume:
		l.Stale[engine.Items] = true // it takes items again
	}
	if c := l.pool.runs(tid); c != nil {
		r := consumers.OrderFor(what)
		_ = c.link.Send(r)
		c.expectStop(r.End, time.Now())
		c.known = nil // the order is in the record
	}
	return nil
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
	if err == nil || !engine.Transient(err) {
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
