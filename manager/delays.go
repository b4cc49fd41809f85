package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// delays knows when the next delayed task is due. The zero value knows of none.
type delays struct {
	next  time.Time // by the system's clock; zero: none waits
	stale bool      // there may be new ones, or the clock may have been set
}

// due reports whether to look for tasks that are due.
func (a delays) due(now time.Time) bool {
	return a.stale || !a.next.IsZero() && !now.Before(a.next)
}

// wake returns when to look for them, unless an event comes first; zero means never. A
// manager that is stopping dispatches none.
func (a delays) wake(stopping bool) time.Time {
	if stopping {
		return time.Time{}
	}
	return a.next
}

// promote makes tasks that are due ready to be dispatched.
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
		l.delays = delays{stale: true} // retry in the next cycle
		return fmt.Errorf("look for tasks that are due: %w", err)
	}
	l.delays = delays{next: next}
	return nil
}
