package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
)

// An order came from the control socket.
type order struct {
	what  control.Order
	reply chan<- (<-chan control.Answer) // see [Executor.Order]
}

// takeOrder passes on an order from the control socket, on any goroutine.
func (e *Engine) takeOrder(ctx context.Context, o control.Order, answer func(control.Answer)) {
	reply := make(chan (<-chan control.Answer), 1)
	select {
	case e.orders <- order{o, reply}:
		if done := <-reply; done != nil {
			control.Relay(ctx, done, answer)
		}
	case <-ctx.Done():
	}
}

// WatchControl has the control messages of a task read, from its own queue and from named.
func (e *Engine) WatchControl(tid string, named []string) {
	e.watched[tid] = named
	e.unread = append(e.unread, tid)
	if err := e.Waiters[Control].Add(append(slices.Clone(named), ledger.QueuesOf(tid).ControlIn)...); err != nil {
		e.o.Log.Warn("listen for control", "tid", tid, "err", err) // the periodic poll remains
	}
}

// UnwatchControl ends that, but for queues that other tasks share.
func (e *Engine) UnwatchControl(tid string) {
	named, watched := e.watched[tid]
	if !watched {
		return
	}
	delete(e.watched, tid)
	e.unread = slices.DeleteFunc(e.unread, func(other string) bool { return other == tid })
	for _, others := range e.watched {
		named = slices.DeleteFunc(named, func(queue string) bool { return slices.Contains(others, queue) })
	}
	e.Waiters[Control].Remove(append(named, ledger.QueuesOf(tid).ControlIn)...)
}

// A command is a control message from the store.
type command struct {
	tid  string
	what ledger.Command
}

// Commanded has commands applied to a task after the cycle.
func (e *Engine) Commanded(tid string, what ...ledger.Command) {
	for _, c := range what {
		e.commands = append(e.commands, command{tid, c})
	}
}

// readControl reads the control messages of the watched tasks, or of those only that are
// new: their messages may be older than the subscription.
func (e *Engine) readControl() {
	if len(e.watched) == 0 {
		e.Stale[Control] = false
	}
	if !e.Stale[Control] && len(e.unread) == 0 {
		return
	}
	var read []command
	e.Add(Change{
		What:   "read control messages",
		Failed: Drop, // what is stale stays so
		Write: func(tx *broker.Tx, now time.Time) error {
			read = nil
			tids := slices.Values(e.unread)
			if e.Stale[Control] {
				tids = maps.Keys(e.watched)
			}
			for tid := range tids {
				commands, err := ledger.ReadTaskControl(tx, tid, now, e.watched[tid]...)
				if err != nil {
					return err
				}
				for _, c := range commands {
					read = append(read, command{tid, c})
				}
			}
			return nil
		},
		Written: func(err error) {
			if err == nil {
				e.commands = append(e.commands, read...)
			}
			e.unread, e.Stale[Control] = e.unread[:0], false
		},
	})
}
