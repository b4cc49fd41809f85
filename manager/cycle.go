package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// cycle assigns requests to consumers, writes all pending changes in one transaction, and
// notifies the consumers.
func (l *loop) cycle(ctx context.Context, in inbox) error {
	w := &l.pending
	// An error that prevents dispatches, for example that no consumer can be started, must
	// not prevent the ends of tasks from being written.
	var dispatchErr error
	if !l.stopping {
		dispatchErr = errors.Join(l.keepServices(ctx, time.Now()), l.promote(ctx, time.Now()))
	}
	if l.requestsPending && !l.stopping {
		dispatchErr = errors.Join(dispatchErr, l.fill(ctx, w))
	}
	if l.stopping {
		for _, c := range l.pool.busy() {
			w.refuseItems(c)
		}
	} else {
		dispatchErr = errors.Join(dispatchErr, l.findItems(ctx, w, time.Now()))
	}
	var orders []order
	if !w.empty() || in != (inbox{}) {
		var err error
		if orders, err = l.write(ctx, w, in); errors.Is(err, ledger.ErrChanged) {
			l.undo(w)
			w.invalidate()
			orders, err = l.write(ctx, w, in)
		}
		if err != nil {
			l.undo(w)
			return errors.Join(dispatchErr, err)
		}
	}
	l.notify(w)
	l.watchServers(l.foundServers)
	l.unwatchPipelines(l.endedPipelines)
	l.foundServers, l.endedPipelines, l.pending = nil, nil, changes{}
	return errors.Join(dispatchErr, l.apply(ctx, orders))
}

// An order is a control message; the zero task means the manager.
type order struct {
	task task
	what ledger.Command
}

// write commits the cycle. A change that cannot be written although the store works is
// logged and given up, so that one bad task does not block the others.
func (l *loop) write(ctx context.Context, w *changes, in inbox) ([]order, error) {
	// A cycle is completed once begun: consumers wait for it.
	ctx = context.WithoutCancel(ctx)
	orders, err := l.commit(ctx, w, in)
	if err == nil || transient(err) || lasting(err) || errors.Is(err, ledger.ErrChanged) {
		return orders, err
	}
	l.log.Error("write cycle failed, now one change at a time", "err", err)
	for _, single := range w.singles() {
		some, err := l.commit(ctx, single, inbox{})
		switch {
		case transient(err), lasting(err):
			return orders, err
		case err != nil:
			l.log.Error("give up change", "err", err)
		}
		orders = append(orders, some...)
	}
	return orders, nil
}

// transient reports whether the same transaction may succeed later.
func transient(err error) bool {
	return errors.Is(err, broker.ErrFull) || errors.Is(err, broker.ErrUnwritable) || errors.Is(err, broker.ErrBusy)
}

// lasting reports whether the manager cannot continue with its store.
func lasting(err error) bool {
	return errors.Is(err, broker.ErrUncertain) || errors.Is(err, broker.ErrGone) || errors.Is(err, ledger.ErrSuperseded)
}

// commit writes w in one transaction and reads control messages. The function may run
// twice, so it resets everything it sets.
func (l *loop) commit(ctx context.Context, w *changes, in inbox) (orders []order, err error) {
	now := time.Now()
	err = l.o.Broker.Update(ctx, func(tx *broker.Tx) error {
		orders = nil
		if err := w.write(tx, now); err != nil {
			return err
		}
		for i := range w.dispatched {
			d := &w.dispatched[i]
			var err error
			if d.task, err = ledger.Dispatch(tx, d.job, d.to.self, now); err != nil {
				return fmt.Errorf("dispatch task %s: %w", d.job.TID, err)
			}
			if err := d.first(tx, now); err != nil {
				return err
			}
		}
		return l.readControl(tx, w, in, now, &orders)
	})
	return orders, err
}

// readControl reads the control messages of the manager and of the running tasks. Those of
// a task that is being dispatched may be older than the subscription to its control queue.
func (l *loop) readControl(tx *broker.Tx, w *changes, in inbox, now time.Time, orders *[]order) error {
	if in.manager {
		commands, err := l.record.ReadControl(tx, now)
		if err != nil {
			return err
		}
		if l.foundServers, err = ledger.Servers(tx); err != nil {
			return err
		}
		for _, c := range commands {
			*orders = append(*orders, order{what: c})
		}
	}
	var listening []task
	if in.tasks {
		var err error
		if l.endedPipelines, err = l.readPipelineControl(tx, now); err != nil {
			return err
		}
		for _, c := range l.pool.busy() {
			listening = append(listening, c.task)
		}
	} else {
		for _, d := range w.dispatched {
			listening = append(listening, d.to.task)
		}
	}
	for _, t := range listening {
		commands, err := ledger.ReadTaskControl(tx, t.tid, now, l.named[t.tid]...)
		if err != nil {
			return err
		}
		for _, c := range commands {
			*orders = append(*orders, order{t, c})
		}
	}
	return nil
}

// notify tells the consumers what has been committed.
func (l *loop) notify(w *changes) {
	for _, c := range w.chunks {
		_ = c.from.link.Send(runner.Order{ChunksRecorded: c.what.Seq})
	}
	for _, i := range w.items {
		l.replyItem(i)
	}
	for _, f := range w.finished {
		_ = f.from.link.Send(runner.Order{Ack: f.what.Seq}) // if it is dead, it needs no acknowledgement
		l.unwatchControl(f.what.TID)
	}
	for _, t := range w.lost {
		l.unwatchControl(t.tid)
	}
	for _, d := range w.dispatched {
		if d.task == nil {
			l.revoke(d)
			continue
		}
		d.to.known = d.task
		_ = d.to.link.Send(runner.Order{Start: &runner.Permit{Message: d.task.Message.String()}})
		if d.job.Work.Persistent {
			d.to.known = nil // the item is in the record
			l.sendItem(d.to, d.next)
			continue
		}
		d.to.expectEnd(time.Now())
	}
}

// errReplaced means that another manager takes over.
var errReplaced = errors.New("replaced")

// apply passes orders on to the consumers.
func (l *loop) apply(ctx context.Context, orders []order) error {
	for _, o := range orders {
		if o.what == ledger.CommandResume {
			l.items.stale = true // it takes items again
		}
		if o.task == (task{}) && o.what == ledger.CommandLeave {
			return errReplaced
		}
		if o.task == (task{}) {
			l.log.Info("told to stop", "command", o.what)
			if err := l.beginStop(ctx); err != nil {
				return err
			}
			continue
		}
		for _, c := range l.pool.busy() {
			if c.task == o.task {
				r := runner.OrderFor(o.what)
				_ = c.link.Send(r)
				c.expectStop(r.End, time.Now())
				c.known = nil // the order is in the record
			}
		}
	}
	return nil
}
