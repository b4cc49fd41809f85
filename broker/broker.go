package broker

import (
	"context"
	"fmt"
	"io"
	"time"
)

// A Broker gives access to the queues and records of one store. It is safe
// for concurrent use.
type Broker struct {
	backend Backend
	options Options
}

// Options are the options of [New]. The zero value is the default.
type Options struct {
	// MaxMessage bounds message bodies, in bytes; 0 means [MaxMessageBytes].
	MaxMessage int
	// Views returns how the messages of a queue are computed, or nil if they are stored. A
	// view can be peeked and counted; other operations return [ErrView]. nil means that
	// there are no views.
	Views func(queue string) ViewFunc
	// Shows returns how the stored messages of a queue are shown to those who read them, or
	// nil if they are shown as they are stored. [Broker.View] and [Broker.Dump] read them
	// as they are stored. nil means that all are.
	Shows func(queue string) ShowFunc
	// Now is the clock by which leases and delays end; nil means [time.Now].
	Now func() time.Time
}

// A ViewFunc computes the messages of a queue that shows other content of the store, such
// as records, in id order.
type ViewFunc func(r Reader, sel Select) ([]Message, error)

// A ShowFunc returns the body of a stored message as it is shown: with other content of the
// store, such as a record, that the message refers to and need not repeat. A message that
// is moved into another queue is stored there as it is shown. If the body would be too
// long for a message, it is shown as it is stored.
type ShowFunc func(r Reader, m Message) (body string, err error)

// New returns a Broker on backend, which it owns from then on. Programs call a backend's
// Open instead.
func New(backend Backend, o Options) *Broker {
	return &Broker{backend: backend, options: o.complete()}
}

// complete sets the defaults.
func (o Options) complete() Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = MaxMessageBytes
	}
	if o.Views == nil {
		o.Views = func(string) ViewFunc { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Shows == nil {
		o.Shows = func(string) ShowFunc { return nil }
	}
	return o
}

// Close waits for running transactions, refuses those that wait and releases the store. The
// caller that opened the broker closes it; later calls return [ErrClosed], a second Close
// what the first returned. Inside [Broker.Update] it returns [ErrNested] and closes
// nothing.
func (b *Broker) Close() error { return b.backend.Close() }

// Queue returns the queue with this name. It does no work and checks nothing: the operation
// that uses an invalid name reports it.
func (b *Broker) Queue(name string) *Queue { return &Queue{b: b, name: name} }

// Update runs fn in one transaction: all its changes are committed, or none, if it returns
// an error, panics or ends its goroutine. Waiters of the changed queues are notified after
// the commit.
//
// fn runs on the calling goroutine. Transactions of several goroutines share a commit, so
// fn may run twice: it must use only its tx and variables that it sets in each run, and it
// must not block, because others wait for it. Calling the broker from fn returns
// [ErrNested]. Cancelling ctx withdraws a transaction that has not started; one that has is
// completed, and Update returns its result.
func (b *Broker) Update(ctx context.Context, fn func(tx *Tx) error) error {
	var tx *Tx
	err := b.backend.Update(ctx, func(t BackendTx) error {
		tx = &Tx{Reader: t, b: b, txn: t}
		return fn(tx)
	})
	if err != nil {
		return err
	}
	notify(b.backend, tx.touched...)
	return nil
}

// Nested reports whether the calling goroutine is inside a function that was given to
// [Broker.Update]. There it must not wait for another goroutine that calls the broker,
// which would wait for the function to end.
func (b *Broker) Nested() bool { return b.backend.Nested() }

// ReadBody reads a message body until the end of r and counts its bytes: an endless input
// gives [ErrTooLarge] and does not fill the memory.
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

// Update is [Broker.Update] for a transaction that has a result: that of fn's last run.
func Update[T any](ctx context.Context, b *Broker, fn func(tx *Tx) (T, error)) (v T, err error) {
	err = b.Update(ctx, func(tx *Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	return v, err
}

// View is [Broker.View] for what fn has read.
func View[T any](ctx context.Context, b *Broker, fn func(Reader) (T, error)) (v T, err error) {
	err = b.View(ctx, func(r Reader) (err error) {
		v, err = fn(r)
		return err
	})
	return v, err
}

// View runs fn on one consistent state of the store, with the messages as they are stored.
// fn must not call the broker and should
// be short: it delays the clean-up of the store's log.
func (b *Broker) View(ctx context.Context, fn func(Reader) error) error {
	return b.backend.View(ctx, fn)
}

// Record returns the record of kind with key, or an error that wraps
// [ErrNotFound].
func (b *Broker) Record(ctx context.Context, kind, key string) (Record, error) {
	rec, err := look(ctx, b, func(r Reader) (Record, error) { return r.Record(kind, key) })
	return rec, wrapRecord("record", kind, key, err)
}

// Records returns the selected records of a kind ordered by rank.
func (b *Broker) Records(ctx context.Context, kind string, sel RecordSelect) ([]Record, error) {
	recs, err := look(ctx, b, func(r Reader) ([]Record, error) { return r.Records(kind, sel) })
	if err != nil {
		return nil, fmt.Errorf("records of %s: %w", kind, err)
	}
	return recs, nil
}

// CountRecords counts the records of a kind by their states, without reading them.
func CountRecords(ctx context.Context, b *Broker, kind string) (map[string]int, error) {
	counts, err := look(ctx, b, func(r Reader) (map[string]int, error) { return r.CountRecords(kind) })
	if err != nil {
		return nil, fmt.Errorf("count records of %s: %w", kind, err)
	}
	return counts, nil
}

// StoreID returns the id of b's store, which is assigned when the store is made and never
// changes: that of [Broker.Info], at less cost. It uses the connection for writing: a
// program that needs the id is about to write, and may never need a connection for reading.
func (b *Broker) StoreID(ctx context.Context) (string, error) {
	id, err := change(ctx, b.Queue(""), nil, BackendTx.ID)
	if err != nil {
		return "", fmt.Errorf("inspect store: %w", err)
	}
	return id, nil
}

// Info describes the store.
func (b *Broker) Info(ctx context.Context) (Info, error) {
	info, err := look(ctx, b, Reader.Info)
	if err != nil {
		return Info{}, fmt.Errorf("inspect store: %w", err)
	}
	return info, nil
}

// Compact returns the space of deleted messages and records to the file system, and empties
// the store's log. It copies the whole store while writers wait. Cancelling ctx withdraws
// it before it has started.
func (b *Broker) Compact(ctx context.Context) error {
	if err := b.backend.Compact(ctx); err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	return nil
}

// Flush moves all committed changes from the log into the store's own file, so that a copy
// of the file alone is complete. While another process reads it does nothing. It is for
// programs that exit; a store never needs it.
func Flush(ctx context.Context, b *Broker) error {
	if err := b.backend.Flush(ctx); err != nil {
		return fmt.Errorf("flush store: %w", err)
	}
	return nil
}

// stored returns an error if the messages of queue cannot be changed: its name is invalid,
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

// look makes one call on a reader.
func look[T any](ctx context.Context, b *Broker, call func(Reader) (T, error)) (T, error) {
	var v, zero T
	err := b.backend.ViewOne(ctx, func(r Reader) (err error) {
		v, err = call(r)
		return err
	})
	if err != nil {
		return zero, err
	}
	return v, nil
}

// change makes one call in a transaction on q, unless refused is an error.
func change[T any](ctx context.Context, q *Queue, refused error, call func(BackendTx) (T, error)) (T, error) {
	var v, zero T
	if refused != nil {
		return zero, refused
	}
	update := q.b.backend.UpdateOne
	if q.b.options.Shows(q.name) != nil {
		update = q.b.backend.Update // more than one call shows a message
	}
	err := update(ctx, func(t BackendTx) (err error) {
		v, err = call(t)
		return err
	})
	if err != nil {
		return zero, err
	}
	return v, nil
}

// wrap says in an error, if there is one, what was done to which queue.
func wrap(queue, verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", verb, queue, err)
}

// wrapMove is wrap for two queues.
func wrapMove(src, dst string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("move from %q to %q: %w", src, dst, err)
}

// wrapRecord is wrap for a record.
func wrapRecord(verb, kind, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s %q: %w", verb, kind, key, err)
}

// notify notifies waiters. A notification is a hint, and waiters also poll, so a failure is
// not an error of the operation, which is committed.
func notify(backend Backend, queues ...string) {
	if len(queues) > 0 {
		_ = backend.Notify(queues...)
	}
}
