package sqlite

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weft/broker"
)

// A committer runs the write transactions of this process on one connection.
//
// There is no writer goroutine. A caller that finds no leader becomes the leader: it begins
// a transaction, runs its own function and those of waiting callers, commits once, answers
// them, and passes the lead to the next waiting caller. While one group is being committed
// the next one gathers. Compared with a goroutine that serves a channel this saves two
// switches for each write without competitors.
//
// A function given to Update runs on its caller's goroutine, even inside another caller's
// group: a panic, or the end of the goroutine (runtime.Goexit, so also t.FailNow), then
// affects only that caller. Single operations run on the leader's goroutine.
type committer struct {
	open     func() (*conn, error)
	ballast  *ballast
	patience time.Duration // how long to wait for other processes

	mu      sync.Mutex
	leading bool
	free    sync.Cond // on mu: leading has become false
	waiting []*op
	closed  bool

	conn   *conn // belongs to the leader; nil when it has to be opened again
	turns  turns // belongs to the leader
	shared bool  // belongs to the leader: the last transaction was shared

	// closure is the goroutine that is running a caller's function, 0 if none: see marked.
	closure atomic.Uint64
}

// The states of an op. The goroutine that changes queued owns it: the leader that takes it,
// or its caller that withdraws it.
const (
	queued int32 = iota
	taken
	withdrawn
)

// An op is one caller's transaction.
type op struct {
	fn    func(broker.BackendTx) error
	step  bool // one call on the BackendTx: needs neither savepoint nor transaction of its own
	state atomic.Int32
	leads bool      // its caller is the leader, so fn runs on the leader's goroutine
	since time.Time // when it began to wait; zero if it did not

	next chan step     // from the leader: what the caller has to do; at most one at a time
	ran  chan struct{} // to the leader: fn has ended

	err   error
	final bool // err is the result; fn does not run again
	gone  bool // fn did not return: it panicked or ended its goroutine
}

// A step is what a waiting caller has to do next.
type step int

const (
	runs     step = iota // run the function and continue waiting
	leads                // become the leader
	answered             // return
)

// do runs o and returns its result.
func (c *committer) do(ctx context.Context, o *op) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	if c.leading && c.nested() {
		c.mu.Unlock()
		return broker.ErrNested
	}
	if c.closed {
		c.mu.Unlock()
		return broker.ErrClosed
	}
	if !c.leading {
		c.leading = true
		c.mu.Unlock()
		c.lead(ctx, o)
		return o.err
	}
	o.since = time.Now()
	o.next, o.ran = make(chan step, 1), make(chan struct{}, 1)
	c.waiting = append(c.waiting, o)
	c.mu.Unlock()
	return c.await(ctx, o)
}

// await does what the leader asks of o's caller until o is answered.
func (c *committer) await(ctx context.Context, o *op) error {
	for cancelled := ctx.Done(); ; {
		select {
		case t := <-o.next:
			switch t {
			case runs:
				c.runHere(o)
				continue
			case leads:
				c.lead(ctx, o)
			}
			return o.err
		case <-cancelled:
			if o.state.CompareAndSwap(queued, withdrawn) {
				return context.Cause(ctx)
			}
			cancelled = nil // it has started, so it is completed
		}
	}
}

// tryLead makes the caller the leader if there is none.
func (c *committer) tryLead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading || c.closed {
		return false
	}
	c.leading = true
	return true
}

// handOver makes the next waiting caller the leader, if there is one.
func (c *committer) handOver() {
	if c.conn != nil && c.conn.broken != nil {
		c.discard()
	}
	if c.conn != nil && c.conn.changed > manyRows {
		// After so many changes the caller can wait for the log to shrink; nothing depends
		// on it. One attempt: while others read, each costs as much as the log is long.
		c.conn.changed = 0
		_ = c.conn.emptyLog()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := c.dequeue(1); len(next) > 0 {
		next[0].next <- leads
		return
	}
	c.leading = false
	c.free.Signal()
}

// take removes up to n ops from the waiting ones.
func (c *committer) take(n int) []*op {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dequeue(n)
}

// dequeue is take for a caller that holds mu.
func (c *committer) dequeue(n int) (ops []*op) {
	i := 0
	for ; i < len(c.waiting) && len(ops) < n; i++ {
		if o := c.waiting[i]; o.state.CompareAndSwap(queued, taken) {
			ops = append(ops, o)
		}
	}
	c.waiting = slices.Delete(c.waiting, 0, i)
	return ops
}

func (c *committer) noneWaiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) == 0
}

// retryBusy repeats try while other processes hold the store, for as long as patience,
// counted from since, or if that is zero from the first failure. Writers wait in turn
// instead: see inTurn.
func retryBusy(ctx context.Context, since time.Time, patience time.Duration, try func() error) error {
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 5*time.Millisecond) {
		err := try()
		if !busy(err) {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) > patience {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// connect makes sure that there is a connection that is not broken.
func (c *committer) connect() (err error) {
	if c.conn != nil && c.conn.broken != nil {
		c.discard()
	}
	if c.conn == nil {
		if c.conn, err = c.open(); err != nil {
			return err
		}
		// Savepoints are kept in memory, not in a file. That does not hold for other
		// connections: one of them may copy the whole store.
		err = c.conn.note(c.conn.exec(context.Background(), "PRAGMA temp_store = memory"))
	}
	return err
}

// discard drops the connection; its uncommitted changes are rolled back.
func (c *committer) discard() {
	if c.conn != nil {
		c.conn.drop()
		c.conn = nil
	}
}

// nested reports whether the calling goroutine runs a function given to Update, which would
// wait for itself.
func (c *committer) nested() bool {
	running := c.closure.Load()
	return running != 0 && running == goroutine()
}

// close refuses waiting callers, waits for the running transaction, and closes the
// connection. It is called once.
func (c *committer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, o := range c.waiting {
		if o.state.CompareAndSwap(queued, taken) {
			o.err = broker.ErrClosed
			o.next <- answered
		}
	}
	c.waiting = nil
	for c.leading {
		c.free.Wait()
	}
	if c.conn == nil {
		return nil
	}
	return c.conn.close()
}
