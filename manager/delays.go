package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// promote makes delayed tasks that are due ready to be dispatched, and finds out when the
// next one is.
func (l *loop) promote(ctx context.Context, now time.Time) error {
	if !l.Stale[engine.Delays] && (l.delayed.IsZero() || now.Before(l.delayed)) {
		return nil
	}
	var next time.Time
	err := l.view(ctx, func(r broker.Reader) (err error) {
		next, err = ledger.NextDue(r, now)
		return err
	})
	if err == nil && !next.IsZero() && !next.After(now) {
		l.Stale[engine.Requests] = true
		err = l.o.Broker.Update(context.WithoutCancel(ctx), func(tx *broker.Tx) (err error) {
			next, err = ledger.Promote(tx, now)
			return err
		})
	}
	if l.delayed, l.Stale[engine.Delays] = next, err != nil; err != nil {
		return fmt.Errorf("look for tasks that are due: %w", err)
	}
	return nil
}
