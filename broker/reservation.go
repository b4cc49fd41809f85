package broker

import (
	"context"
	"fmt"
)

// A Reservation is how a worker takes messages of a queue and loses none if it
// dies: each lies in a second queue, the worker's own, from the moment it is
// handed out until the worker says that the work is done. A message may thus be
// handed out twice, and never not at all.
//
//	jobs := b.Queue("jobs").Reserve("jobs.worker1")
//	_, err := jobs.Recover(ctx) // what an earlier life has left behind
//	…
//	m, err := jobs.Next(ctx)
//	…
//	err = jobs.Ack(ctx, m.ID)
//
// It is a handle and safe for concurrent use.
type Reservation struct{ from, held *Queue }

// Reserve returns a way to take messages of q through the queue held, which no
// two workers that live at the same time may share if they call Recover.
func (q *Queue) Reserve(held string) *Reservation {
	return &Reservation{from: q, held: q.b.Queue(held)}
}

// Next reserves the oldest message. [ErrEmpty] means that there is none.
func (r *Reservation) Next(ctx context.Context) (Message, error) {
	ms, err := move(ctx, r.from, r.held.name, Select{Limit: 1})
	return one(r.from.name, "reserve from", ms, err)
}

// Batch reserves up to n of the oldest messages in one transaction; none is no
// error. n must be positive.
func (r *Reservation) Batch(ctx context.Context, n int) ([]Message, error) {
	if n < 1 {
		return nil, fmt.Errorf("reserve from %q: a batch of %d messages", r.from.name, n)
	}
	ms, err := move(ctx, r.from, r.held.name, Select{Limit: n})
	if err != nil {
		return nil, wrap(r.from.name, "reserve from", err)
	}
	return ms, nil
}

// Ack deletes reserved messages, all in one transaction: their work is done.
// If one of them is not reserved any more, nothing is deleted and the error
// wraps [ErrEmpty].
func (r *Reservation) Ack(ctx context.Context, ids ...ID) error {
	return r.settle(ctx, "acknowledge to", ids, func(tx *Tx, id ID) (int, error) {
		return tx.Delete(r.held.name, Select{ID: id})
	})
}

// Release puts reserved messages back to where they came from, in their old
// order, all in one transaction. If one of them is not reserved any more,
// nothing is moved and the error wraps [ErrEmpty].
func (r *Reservation) Release(ctx context.Context, ids ...ID) error {
	return r.settle(ctx, "release to", ids, func(tx *Tx, id ID) (int, error) {
		return tx.MoveAll(r.held.name, r.from.name, Select{ID: id})
	})
}

// settle does one thing to each of the reserved messages.
func (r *Reservation) settle(ctx context.Context, verb string, ids []ID, do func(*Tx, ID) (int, error)) error {
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
				return fmt.Errorf("message %v is not in %q: %w", id, r.held.name, ErrEmpty)
			}
		}
		return nil
	})
	if err != nil {
		return wrap(r.from.name, verb, err)
	}
	return nil
}

// Recover puts everything that is reserved back to where it came from and
// counts it. A worker calls it when it begins, for what it left behind when it
// last ended.
func (r *Reservation) Recover(ctx context.Context) (int, error) {
	return r.held.MoveAll(ctx, r.from.name, Select{})
}
