package broker

import (
	"context"
	"fmt"
)

// A Reservation is how a consumer takes messages of a queue without losing any if it dies:
// each is kept in a second queue, the consumer's own, from when it is delivered until the
// consumer acknowledges it. So a message may be delivered twice, but never not at all.
//
//	jobs := b.Queue("jobs").Reserve("jobs.worker1")
//	_, err := jobs.Recover(ctx) // what an earlier run has left reserved
//	…
//	m, err := jobs.Next(ctx)
//	…
//	err = jobs.Ack(ctx, m.ID)
//
// It is a handle and safe for concurrent use.
type Reservation struct{ from, reserved *Queue }

// Reserve returns a Reservation of messages of q that keeps them in the queue reserved. No
// two consumers that run at the same time may share that queue if they call Recover.
func (q *Queue) Reserve(reserved string) *Reservation {
	return &Reservation{from: q, reserved: q.b.Queue(reserved)}
}

// Next reserves the oldest message. [ErrEmpty] means that there is none.
func (r *Reservation) Next(ctx context.Context) (Message, error) {
	ms, err := move(ctx, r.from, r.reserved.name, Select{Limit: 1})
	return one(r.from.name, "reserve from", ms, err)
}

// Batch reserves up to n of the oldest messages in one transaction; none is no
// error. n must be positive.
func (r *Reservation) Batch(ctx context.Context, n int) ([]Message, error) {
	if n < 1 {
		return nil, fmt.Errorf("reserve from %q: a batch of %d messages", r.from.name, n)
	}
	ms, err := move(ctx, r.from, r.reserved.name, Select{Limit: n})
	return ms, wrap(r.from.name, "reserve from", err)
}

// Ack deletes reserved messages, all in one transaction: they have been handled. If one of
// them is not reserved any more, nothing is deleted and the error wraps [ErrEmpty].
func (r *Reservation) Ack(ctx context.Context, ids ...ID) error {
	return r.apply(ctx, "acknowledge to", ids, func(tx *Tx, id ID) (int, error) {
		return tx.Delete(r.reserved.name, Select{ID: id})
	})
}

// Release moves reserved messages back to where they came from, in their old order, all in
// one transaction. If one of them is not reserved any more, nothing is moved and the error
// wraps [ErrEmpty].
func (r *Reservation) Release(ctx context.Context, ids ...ID) error {
	return r.apply(ctx, "release to", ids, func(tx *Tx, id ID) (int, error) {
		return tx.MoveAll(r.reserved.name, r.from.name, Select{ID: id})
	})
}

// apply applies do to each of the reserved messages.
func (r *Reservation) apply(ctx context.Context, verb string, ids []ID, do func(*Tx, ID) (int, error)) error {
	err := r.from.b.Update(ctx, func(tx *Tx) error {
		for _, id := range ids {
			n := 0
			if id != 0 { // which would select all
				var err error
				if n, err = do(tx, id); err != nil {
					return err
				}
			}
			if n == 0 {
				return fmt.Errorf("message %v is not in %q: %w", id, r.reserved.name, ErrEmpty)
			}
		}
		return nil
	})
	return wrap(r.from.name, verb, err)
}

// Recover moves everything that is reserved back to where it came from and counts it. A
// consumer calls it when it starts, for what its last run has left reserved.
func (r *Reservation) Recover(ctx context.Context) (int, error) {
	return r.reserved.MoveAll(ctx, r.from.name, Select{})
}
