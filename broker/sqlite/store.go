package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"weft/broker"
	"weft/internal/bell"
)

// A store is the broker.Backend on one SQLite file.
type store struct {
	db      *sqlx.DB
	writer  *committer
	readers readers
	bells   *bell.Set
	version func() (uint64, error) // for bells where files cannot be watched
}

var _ broker.Backend = (*store)(nil)

func (s *store) Update(ctx context.Context, fn func(broker.Txn) error) error {
	return s.writer.do(ctx, &op{fn: fn})
}

func (s *store) Step(ctx context.Context, fn func(broker.Txn) error) error {
	return s.writer.do(ctx, &op{fn: fn, step: true})
}

func (s *store) View(ctx context.Context, fn func(broker.Reader) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.run(beginRead); err != nil {
			return err
		}
		// Nothing was written, so ending the transaction either way is the same.
		defer c.run(rollback)
		return fn(c)
	})
}

func (s *store) Look(ctx context.Context, fn func(broker.Reader) error) error {
	// The writing connection is open and warm; a client that asks one question
	// need not open another.
	if s.writer.tryLead() {
		defer s.writer.handOver()
		return patiently(ctx, s.writer.patience, func() error {
			if err := s.writer.connect(); err != nil {
				return err
			}
			err := fn(s.writer.conn)
			if s.writer.conn.broken != nil {
				s.writer.discard()
			}
			return err
		})
	}
	return s.read(ctx, func(c *conn) error { return fn(c) })
}

// read runs fn on a read connection.
func (s *store) read(ctx context.Context, fn func(*conn) error) error {
	if s.writer.nested() {
		return broker.ErrNested
	}
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	return patiently(ctx, s.writer.patience, func() error { return fn(c) })
}

func (s *store) Ring(queues ...string) error { return s.bells.Ring(queues...) }

func (s *store) Listen(queues ...string) (broker.Listener, error) { return s.bells.Listen(queues...) }

func (s *store) Close() error {
	if err := s.writer.close(); err != nil {
		return err
	}
	return errors.Join(s.bells.Close(), s.readers.close(), s.db.Close())
}

// maxReaders bounds the read connections of a process. Each costs about
// 0.3 MB and half a millisecond to open; readers do not block one another, so
// a few keep the cores busy.
const maxReaders = 4

// readers is a pool of read connections that are opened when first needed.
type readers struct {
	open func() (*conn, error)
	slot chan struct{} // a place for each connection in use

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func (r *readers) get(ctx context.Context) (*conn, error) {
	select {
	case r.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		<-r.slot
		return nil, broker.ErrClosed
	}
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

// close awaits the readers in use and closes all connections.
func (r *readers) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for range cap(r.slot) {
		r.slot <- struct{}{}
	}
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// dataVersion returns a function that tells a number which changes whenever
// any process has committed. It has a connection of its own, because a
// connection does not see its own commits that way.
func dataVersion(open func() (*conn, error)) func() (uint64, error) {
	c := sync.OnceValues(open)
	return func() (uint64, error) {
		conn, err := c()
		if err != nil {
			return 0, err
		}
		n, err := conn.pragma(context.Background(), "data_version")
		return uint64(n), err
	}
}

// clock is the time that ids are made from.
type clock = func() time.Time
