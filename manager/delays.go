package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// An delays knows when the next of the tasks is due that wait for their time. The
// zero value knows of none.
type delays struct {
	next  time.Time // by the clock of the machine; zero: none waits
	stale bool      // there may be others since, or the clock may have been set
}

// due reports whether to look at the tasks that wait.
func (a delays) due(now time.Time) bool {
	return a.stale || !a.next.IsZero() && !now.Before(a.next)
}

// wake is when to look at them, unless something happens before; zero: never. A
// manager that stops takes no more.
func (a delays) wake(stopping bool) time.Time {
	if stopping {
		return time.Time{}
	}
	return a.next
}

// promote lets the tasks that are due be given out.
func (l *loop) promote(ctx context.Context, now time.Time) error {
	if !l.delays.due(now) {
		return nil
	}
	var next time.Time
	err := l.view(ctx, func(r broker.Reader) (err error) {
		next, err = ledger.NextDue(r, now)
		return err
	})
	if err == nil && !next.IsZero() && !next.After(now) {
		l.requestsPending = true
		err = l.o.Broker.Update(context.WithoutCancel(ctx), func(tx *broker.Tx) (err error) {
			next, err = ledger.Promote(tx, now)
			return err
		})
	}
	if err != nil {
		l.delays = delays{stale: true} // with the next turn
		return fmt.Errorf("look for tasks that are due: %w", err)
	}
	l.delays = delays{next: next}
	return nil
}
