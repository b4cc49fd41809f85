package broker

import (
	"context"
	"fmt"
	"io"
)

// A Broker gives access to the queues and records of one store. It is safe
// for concurrent use.
type Broker struct {
	backend Backend
	options Options
}

// Options are the choices of [New]. The zero value is the default.
type Options struct {
	// MaxMessage bounds message bodies, in bytes; 0 means [MaxMessageBytes].
	MaxMessage int
	// Views returns how the messages of a queue are computed, or nil where they
	// are stored. A queue that has a view can be peeked and counted and nothing
	// else: other operations return [ErrView]. nil means that there are none.
	Views func(queue string) ViewFunc
}

// A ViewFunc computes the messages of a queue that shows something else that
// is in the store, such as records, in id order.
type ViewFunc func(r Reader, sel Select) ([]Message, error)

// New returns a Broker on backend, which it owns from then on. Programs call a
// backend's Open instead.
func New(backend Backend, o Options) *Broker {
	return &Broker{backend: backend, options: o.complete()}
}

// complete fills in the defaults.
func (o Options) complete() Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = MaxMessageBytes
	}
	if o.Views == nil {
		o.Views = func(string) ViewFunc { return nil }
	}
	return o
}

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
	notify(b.backend, tx.touched...)
	return nil
}

// Nested reports whether the calling goroutine is inside a function that was given to
// [Broker.Update]. There it must not wait for another goroutine that calls the
// broker, which would wait for the function to end.
func (b *Broker) Nested() bool { return b.backend.Nested() }

// ReadBody reads a message body to the end of r, counting while it reads: an
// endless input gives [ErrTooLarge] and does not fill the memory.
func (b *Broker) ReadBody(r io.Reader) (string, error) {
	limit := b.options.MaxMessage
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return "", fmt.Errorf("read message: %w", err)
	}
	if len(body) > limit {
		return "", fmt.Errorf("read message: %w: more than %d bytes", ErrTooLarge, limit)
	}
	return string(body), nil
}

// View runs fn on one consistent state of the store. fn must not call the
// broker and should be short: it holds back the clean-up of the store's log.
func (b *Broker) View(ctx context.Context, fn func(Reader) error) error {
	return b.backend.View(ctx, fn)
}

// Record returns the record of kind with key, or an error that wraps
// [ErrNotFound].
func (b *Broker) Record(ctx context.Context, kind, key string) (rec Record, err error) {
	err = b.backend.ViewOne(ctx, func(r Reader) (err error) {
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
	err = b.backend.ViewOne(ctx, func(r Reader) (err error) {
		recs, err = r.Records(kind, sel)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("records of %s: %w", kind, err)
	}
	return recs, nil
}

// CountRecords counts the records of a kind by their states, without reading them.
func CountRecords(ctx context.Context, b *Broker, kind string) (counts map[string]int, err error) {
	err = b.backend.ViewOne(ctx, func(r Reader) (err error) {
		counts, err = r.CountRecords(kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count records of %s: %w", kind, err)
	}
	return counts, nil
}

// StoreID is the id of b's store, which was made with it and never changes: that of
// [Broker.Info], for much less. It is asked where changes are made: a program that
// asks for it will make some, and may never need anything else to read with.
func (b *Broker) StoreID(ctx context.Context) (id string, err error) {
	err = b.backend.UpdateOne(ctx, func(t Txn) (err error) {
		id, err = t.ID()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("inspect store: %w", err)
	}
	return id, nil
}

// Info describes the store.
func (b *Broker) Info(ctx context.Context) (info Info, err error) {
	err = b.backend.ViewOne(ctx, func(r Reader) (err error) {
		info, err = r.Info()
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("inspect store: %w", err)
	}
	return info, nil
}

// Compact gives back to the file system what deleted messages and records have
// left free, and empties the store's log. It copies the whole store while
// writers wait. Cancelling ctx withdraws it before it has begun.
func (b *Broker) Compact(ctx context.Context) error {
	if err := b.backend.Compact(ctx); err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	return nil
}

// Flush puts all that has been committed into the store's own file, from the log that
// lies beside it, so that a copy of the file alone is whole. While somebody reads it
// does nothing. It is for those who leave: a store needs it never.
func Flush(ctx context.Context, b *Broker) error {
	if err := b.backend.Flush(ctx); err != nil {
		return fmt.Errorf("flush store: %w", err)
	}
	return nil
}

// stored reports why the messages of queue cannot be changed: its name is bad,
// or it is a view.
func (b *Broker) stored(queue string) error {
	if err := CheckName(queue); err != nil {
		return err
	}
	if b.options.Views(queue) != nil {
		return ErrView
	}
	return nil
}

// notify wakes waiters. A bell is a hint: waiters also look by themselves, and
// what was committed stays committed, so a failure is not an error of the
// operation.
func notify(backend Backend, queues ...string) {
	if len(queues) > 0 {
		_ = backend.Notify(queues...)
	}
}
