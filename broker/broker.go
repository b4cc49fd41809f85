package broker

import (
	"context"
	"fmt"
	"iter"
)

// A Broker gives access to the queues and records of one store. It is safe
// for concurrent use.
type Broker struct {
	backend    Backend
	maxMessage int
}

// New returns a Broker on backend, which it owns from then on. maxMessage
// bounds message bodies in bytes; 0 means [MaxMessageBytes]. Programs call a
// backend's Open instead.
func New(backend Backend, maxMessage int) *Broker {
	if maxMessage == 0 {
		maxMessage = MaxMessageBytes
	}
	return &Broker{backend: backend, maxMessage: maxMessage}
}

// MaxMessage is the largest message body that the queues take, in bytes.
func (b *Broker) MaxMessage() int { return b.maxMessage }

// Close waits for running transactions, refuses those that wait and releases
// the store. Whoever opened the broker closes it; later calls return
// [ErrClosed], a second Close what the first returned. From inside [Broker.Update]
// it returns [ErrNested] and closes nothing.
func (b *Broker) Close() error { return b.backend.Close() }

// Queue names a queue. It costs nothing and checks nothing: a bad name is
// reported by the operation that uses it.
func (b *Broker) Queue(name string) *Queue { return &Queue{b: b, name: name} }

// Update runs fn in one transaction: all its changes are committed, or, if it
// returns an error, panics or ends its goroutine, none. Waiters of the queues
// it touched are woken after the commit.
//
// fn runs on the calling goroutine. Transactions of several goroutines share a
// commit, so it may run twice and must only touch its tx and variables that it
// sets anew in each run, and it must not block: the others wait for it. Calling
// the broker from fn returns [ErrNested]. Cancelling ctx withdraws a
// transaction that has not begun; one that has is completed, and Update reports
// how it ended.
func (b *Broker) Update(ctx context.Context, fn func(tx *Tx) error) error {
	var tx *Tx
	err := b.backend.Update(ctx, func(t Txn) error {
		tx = &Tx{b: b, txn: t}
		return fn(tx)
	})
	if err != nil {
		return err
	}
	b.ring(tx.touched...)
	return nil
}

// step runs one operation and rings queue after it.
func (b *Broker) step(ctx context.Context, queue string, fn func(Txn) error) error {
	if err := b.backend.Step(ctx, fn); err != nil {
		return err
	}
	b.ring(queue)
	return nil
}

// ring wakes waiters. A bell is a hint: waiters also look by themselves, and
// what was committed stays committed, so a failure is not an error of the
// operation.
func (b *Broker) ring(queues ...string) {
	if len(queues) > 0 {
		_ = b.backend.Ring(queues...)
	}
}

// View runs fn on one consistent state of the store. fn must not call the
// broker and should be short: it holds back the clean-up of the store's log.
func (b *Broker) View(ctx context.Context, fn func(Reader) error) error {
	return b.backend.View(ctx, fn)
}

// page bounds how many rows an iterator fetches at once, so that neither
// memory nor a transaction grows with the length of a queue.
const page = 256

// Queues iterates over the names of all queues, in byte order. It sees queues
// that come and go while it runs.
func (b *Broker) Queues(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for last := ""; ; {
			var names []string
			err := b.backend.Look(ctx, func(r Reader) (err error) {
				names, err = r.Queues(last, page)
				return err
			})
			if err != nil {
				yield("", fmt.Errorf("list queues: %w", err))
				return
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
			if len(names) < page {
				return
			}
			last = names[len(names)-1]
		}
	}
}

// Record returns the record of kind with key, or an error that wraps
// [ErrNotFound].
func (b *Broker) Record(ctx context.Context, kind, key string) (rec Record, err error) {
	err = b.backend.Look(ctx, func(r Reader) (err error) {
		rec, err = r.Record(kind, key)
		return err
	})
	if err != nil {
		return Record{}, fmt.Errorf("record %s %q: %w", kind, key, err)
	}
	return rec, nil
}

// Records returns the selected records of a kind ordered by rank.
func (b *Broker) Records(ctx context.Context, kind string, sel RecordSelect) (recs []Record, err error) {
	err = b.backend.Look(ctx, func(r Reader) (err error) {
		recs, err = r.Records(kind, sel)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("records of %s: %w", kind, err)
	}
	return recs, nil
}
