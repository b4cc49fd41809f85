package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"weft/broker"
	"weft/internal/notify"
)

// A store is the broker.Backend on one SQLite file.
type store struct {
	db       *sqlx.DB
	place    *place
	writer   *committer
	readers  readers
	notifier *notify.Notifier
	changes  changes // for the notifier, if files cannot be watched
	closing  func() error
	refusal  error // the error of writes, if the store is read-only
}

var _ broker.Backend = (*store)(nil)

func (s *store) Update(ctx context.Context, fn func(broker.BackendTx) error) error {
	return s.write(ctx, &op{fn: fn})
}

func (s *store) UpdateOne(ctx context.Context, fn func(broker.BackendTx) error) error {
	return s.write(ctx, &op{fn: fn, step: true})
}

func (s *store) write(ctx context.Context, o *op) error {
	if s.refusal != nil {
		return s.refusal
	}
	if err := s.place.recheck(); err != nil {
		return err
	}
	return s.writer.do(ctx, o)
}

func (s *store) View(ctx context.Context, fn func(broker.Reader) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.run(beginRead); err != nil {
			return err
		}
		// Nothing was written, so a rollback is the same as a commit.
		defer c.run(rollback)
		return fn(c)
	})
}

func (s *store) ViewOne(ctx context.Context, fn func(broker.Reader) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.place.recheck(); err != nil {
		return err
	}
	// The connection for writing is open and warm; a client that makes one read need not
	// open another.
	if s.writer.tryLead() {
		defer s.writer.handOver()
		return retryBusy(ctx, time.Time{}, s.writer.patience, func() error {
			if err := s.writer.connect(); err != nil {
				return err
			}
			return fn(s.writer.conn)
		})
	}
	return s.read(ctx, func(c *conn) error { return fn(c) })
}

// read runs fn on a read connection.
func (s *store) read(ctx context.Context, fn func(*conn) error) error {
	if s.writer.nested() {
		return broker.ErrNested
	}
	if err := s.place.recheck(); err != nil {
		return err
	}
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	return retryBusy(ctx, time.Time{}, s.writer.patience, func() error { return fn(c) })
}

func (s *store) Nested() bool { return s.writer.nested() }

func (s *store) Notify(queues ...string) error {
	if s.refusal != nil {
		return s.refusal
	}
	return s.notifier.Notify(queues...)
}

func (s *store) Listen(queues ...string) (broker.Listener, error) {
	l, err := s.notifier.Listen(queues...)
	if errors.Is(err, notify.ErrClosed) {
		err = broker.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (s *store) Close() error {
	if s.writer.nested() {
		return broker.ErrNested
	}
	return s.closing()
}

func (s *store) close() error {
	return errors.Join(s.writer.close(), s.notifier.Close(), s.changes.close(), s.readers.close(), s.db.Close())
}

// maxReaders bounds the read connections of a process. Each costs about 0.3 MB and half a
// millisecond to open; readers do not block one another, so a few keep the cores busy.
const maxReaders = 4

// readers is a pool of read connections, opened when they are first needed.
type readers struct {
	open func() (*conn, error)
	slot chan struct{} // a slot for each connection in use

	done chan struct{} // closed with the store

	mu   sync.Mutex
	idle []*conn
}

func (r *readers) get(ctx context.Context) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case r.slot <- struct{}{}:
	case <-r.done:
		return nil, broker.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	c, err := r.open()
	if err != nil {
		<-r.slot
	}
	return c, err
}

func (r *readers) put(c *conn) {
	if c.broken != nil {
		c.drop()
	} else {
		r.mu.Lock()
		r.idle = append(r.idle, c)
		r.mu.Unlock()
	}
	<-r.slot
}

// close waits for the readers in use and closes all connections.
func (r *readers) close() error {
	close(r.done)
	for range cap(r.slot) {
		r.slot <- struct{}{}
	}
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// changes returns a number that changes whenever any process has committed. It has a
// connection of its own, because a connection does not see its own commits that way. The
// notifier calls it one at a time, and not after its Close.
type changes struct {
	open func() (*conn, error)
	conn *conn // nil before the first call
}

func (v *changes) number() (uint64, error) {
	if v.conn == nil {
		c, err := v.open()
		if err != nil {
			return 0, err
		}
		v.conn = c
	}
	n, err := v.conn.pragma(context.Background(), "data_version")
	if err != nil {
		v.conn.drop()
		v.conn = nil
	}
	return uint64(n), err
}

func (v *changes) close() error {
	if v.conn == nil {
		return nil
	}
	return v.conn.close()
}
