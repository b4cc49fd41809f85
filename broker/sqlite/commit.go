package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"weft/broker"
)

// maxGroup bounds how many transactions share a commit, so that the first of
// them does not wait for ever; beyond some hundred the gain is gone.
const maxGroup = 256

// A committer runs the write transactions of this process on one connection.
//
// There is no writer goroutine. Who finds nobody leading leads: it begins a
// transaction, runs its own function and those that wait, commits once, tells
// them, and hands the lead to the next that waits. While one group is being
// committed the next gathers. Against a goroutine that serves a channel this
// spares two switches for each write that nobody else competes with.
type committer struct {
	open     func() (*conn, error)
	ballast  *ballast
	patience time.Duration // how long to wait for other processes

	mu      sync.Mutex
	leading bool
	free    sync.Cond // on mu: leading has become false
	waiting []*op
	closed  bool

	conn *conn // belongs to the leader; nil when it has to be opened again

	// closure is the goroutine that is running a caller's function, 0 if none.
	closure atomic.Uint64
}

// The states of an op. Who moves it out of queued owns it: the leader that
// takes it, or its caller that withdraws it.
const (
	queued int32 = iota
	taken
	withdrawn
)

// An op is one caller's transaction.
type op struct {
	fn    func(broker.Txn) error
	step  bool // one call on the Txn: needs neither savepoint nor transaction of its own
	state atomic.Int32
	woken chan struct{} // closed when the op is finished or its caller has to lead
	lead  bool

	err      error
	panicked any
}

// outcome is what the caller gets to see.
func (o *op) outcome() error {
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.err
}

// do runs o and returns how it ended.
func (c *committer) do(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return broker.ErrClosed
	}
	if c.leading {
		if c.nested() {
			c.mu.Unlock()
			return broker.ErrNested
		}
		o.woken = make(chan struct{})
		c.waiting = append(c.waiting, o)
		c.mu.Unlock()
		select {
		case <-o.woken:
		case <-ctx.Done():
			if o.state.CompareAndSwap(queued, withdrawn) {
				return context.Cause(ctx)
			}
			<-o.woken
		}
		if !o.lead {
			return o.outcome()
		}
	} else {
		c.leading = true
		o.state.Store(taken)
		c.mu.Unlock()
	}
	c.lead(ctx, o)
	return o.outcome()
}

// tryLead takes the lead if nobody has it and nobody waits.
func (c *committer) tryLead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading || c.closed {
		return false
	}
	c.leading = true
	return true
}

// handOver gives the lead to the next caller that waits, if there is one.
func (c *committer) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.waiting {
		if o.state.CompareAndSwap(queued, taken) {
			o.lead = true
			c.waiting = append(c.waiting[:0], c.waiting[i+1:]...)
			close(o.woken)
			return
		}
	}
	c.waiting = c.waiting[:0]
	c.leading = false
	c.free.Signal()
}

// take removes up to n waiting ops from the queue.
func (c *committer) take(n int) (ops []*op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := 0
	for ; i < len(c.waiting) && len(ops) < n; i++ {
		if o := c.waiting[i]; o.state.CompareAndSwap(queued, taken) {
			ops = append(ops, o)
		}
	}
	c.waiting = append(c.waiting[:0], c.waiting[i:]...)
	return ops
}

func (c *committer) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) == 0
}

// lead runs own and what waits behind it, then hands over.
func (c *committer) lead(ctx context.Context, own *op) {
	// own is answered by lead's return, the others through woken.
	var others []*op
	ended := false
	defer func() {
		if !ended {
			// A function ended its goroutine, which is this one. Whose it was
			// matters no more: nothing of the group is committed.
			c.abandon(others)
		}
		for _, o := range others {
			close(o.woken)
		}
		c.handOver()
	}()
	err := patiently(ctx, c.patience, func() error {
		if err := c.connect(); err != nil {
			return err
		}
		if own.step && c.alone() {
			err := own.fn(c.conn)
			if !busy(err) {
				own.err, err = c.settle(own, err), nil
			}
			return err
		}
		if _, err := c.conn.run(begin); err != nil {
			return err
		}
		others = c.take(maxGroup - 1)
		c.transact(append([]*op{own}, others...))
		return nil
	})
	if err != nil {
		own.err = err
	}
	ended = true
}

// patiently repeats try while other processes hold the store. Waiting for a
// short random time is both quicker and fairer than SQLite's own ladder.
func patiently(ctx context.Context, patience time.Duration, try func() error) error {
	var deadline time.Time
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 5*time.Millisecond) {
		err := try()
		if !busy(err) {
			return err
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(patience)
		}
		if now.After(deadline) {
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

// connect opens the connection again after it was dropped.
func (c *committer) connect() (err error) {
	if c.conn == nil {
		c.conn, err = c.open()
	}
	return err
}

// transact runs the group in the transaction that has begun, and commits it.
func (c *committer) transact(group []*op) {
	for _, o := range group {
		if len(group) == 1 || o.step {
			c.call(o)
		} else {
			c.callSaved(o)
		}
		if c.conn.broken != nil {
			c.lost(group, o)
			return
		}
	}
	if len(group) == 1 && (group[0].err != nil || group[0].panicked != nil) {
		if _, err := c.conn.run(rollback); err != nil {
			c.discard()
		}
		return
	}
	if _, err := c.conn.run(commit); err != nil {
		c.uncommitted(group, err)
	}
}

// callSaved runs o under a savepoint, so that it can fail alone.
func (c *committer) callSaved(o *op) {
	if _, err := c.conn.run(savepoint); err != nil {
		o.err = err
		return
	}
	c.call(o)
	if o.err != nil || o.panicked != nil {
		if _, err := c.conn.run(rollbackTo); err != nil && c.conn.broken == nil {
			// No such savepoint: the transaction has ended under us.
			c.conn.broken = err
		}
	}
	if c.conn.broken == nil {
		if _, err := c.conn.run(release); err != nil {
			c.conn.broken = err
		}
	}
}

// call runs o's function. A panic is kept for o's own caller.
func (c *committer) call(o *op) {
	o.err, o.panicked = nil, nil
	if o.step {
		o.err = o.fn(c.conn)
		return
	}
	returned := false
	defer func() {
		c.closure.Store(0)
		if v := recover(); v != nil {
			o.panicked = v
		} else if !returned {
			o.err = errGoexit
		}
	}()
	c.closure.Store(goroutineID())
	o.err = o.fn(c.conn)
	returned = true
}

var errGoexit = errors.New("function given to Update ended its goroutine")

// lost answers a group whose transaction ended while culprit ran. Nobody is
// acknowledged; the others run again, each alone.
func (c *committer) lost(group []*op, culprit *op) {
	cause := c.conn.broken
	c.discard()
	again := full(cause) && c.ballast.release()
	for _, o := range group {
		switch {
		case o == culprit && again, o != culprit:
			c.rerun(o)
		case o.err == nil:
			o.err = cause
		}
	}
}

// rerun runs o in a transaction of its own.
func (c *committer) rerun(o *op) {
	err := patiently(context.Background(), c.patience, func() error {
		if err := c.connect(); err != nil {
			return err
		}
		_, err := c.conn.run(begin)
		return err
	})
	if err != nil {
		o.err = err
		return
	}
	c.call(o)
	switch {
	case c.conn.broken != nil:
		o.err = c.conn.broken
		c.discard()
	case o.err != nil || o.panicked != nil:
		if _, err := c.conn.run(rollback); err != nil {
			c.discard()
		}
	default:
		if _, err := c.conn.run(commit); err != nil {
			c.uncommitted([]*op{o}, err)
		}
	}
}

// uncommitted answers a group whose commit failed. When there was no room
// nothing has been written; after any other failure of the storage nobody can
// know, and running it again might do it twice.
func (c *committer) uncommitted(group []*op, cause error) {
	if full(cause) {
		released := c.ballast.release()
		c.discard()
		for _, o := range group {
			if released {
				c.rerun(o)
			} else if o.err == nil {
				o.err = cause
			}
		}
		return
	}
	c.discard()
	for _, o := range group {
		if o.err == nil && o.panicked == nil {
			o.err = fmt.Errorf("%w: %w", broker.ErrUncertain, cause)
		}
	}
}

// settle says how a step that ran as a statement of its own has ended.
func (c *committer) settle(o *op, err error) error {
	if err == nil || c.conn.broken == nil {
		return err
	}
	c.discard()
	if !full(err) {
		return fmt.Errorf("%w: %w", broker.ErrUncertain, err)
	}
	if c.ballast.release() {
		c.rerun(o)
		return o.err
	}
	return err
}

// abandon answers a group whose leader's goroutine is ending, because one of
// its functions ended it.
func (c *committer) abandon(group []*op) {
	c.discard()
	for _, o := range group {
		if !errors.Is(o.err, errGoexit) {
			c.rerun(o)
		}
	}
}

// discard drops the connection; what it held uncommitted is rolled back.
func (c *committer) discard() {
	if c.conn != nil {
		c.conn.drop()
		c.conn = nil
	}
}

// nested reports whether the calling goroutine is the one that runs a
// function given to Update, which would wait for itself.
func (c *committer) nested() bool {
	running := c.closure.Load()
	return running != 0 && running == goroutineID()
}

// close refuses what waits, awaits the running transaction, and closes the
// connection.
func (c *committer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading && c.nested() {
		return broker.ErrNested
	}
	if c.closed {
		return nil
	}
	c.closed = true
	for _, o := range c.waiting {
		if o.state.CompareAndSwap(queued, taken) {
			o.err = broker.ErrClosed
			close(o.woken)
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
