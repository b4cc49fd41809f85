package weft

import (
	"context"
	"errors"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// submitHere submits a task that this program is ready to carry out inside itself,
// and begins it at once: its request need not go through the store to come back.
// It returns nil for any other, and for one that has to queue.
func submitHere(ctx context.Context, c *Context, all []ledger.Submission) (*Task, error) {
	seat := seatFor(c, all)
	if seat == nil {
		return nil, nil
	}
	var b *ledger.Begun
	err := c.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		b, err = ledger.SubmitHere(tx, all[0], c.root, seat.Process(), time.Now())
		return err
	})
	if errors.Is(err, broker.ErrUncertain) && b != nil && begun(c, b) {
		err = nil
	}
	if b == nil || err != nil {
		seat.Leave()
		return nil, err
	}
	return &Task{c: c, tid: b.Task.TID, key: b.Task.Key, fresh: true, visit: seat.Begin(b)}, nil
}

// seatFor is a place for a task among the functions that run inside this program,
// nil if there is none or the task cannot begin at once.
func seatFor(c *Context, all []ledger.Submission) *runner.Seat {
	server := c.inline.Load()
	if server == nil || len(all) != 1 {
		return nil
	}
	spec := all[0].Spec
	if !spec.Spec.Inline() || spec.Spec.Delay() > 0 || spec.IO.Inputs["inbox"] != "" {
		return nil
	}
	return server.Seat(spec.Spec.FunctionTarget)
}

// begun looks whether a task has been recorded of which the store could not say
// so.
func begun(c *Context, b *ledger.Begun) bool {
	_, err := c.broker.Record(context.Background(), ledger.Kind, b.Task.TID)
	return err == nil
}
