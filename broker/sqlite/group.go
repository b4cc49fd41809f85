package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"weft/broker"
)

// maxGroup bounds how many transactions share a commit, so that the first of them does not
// wait for ever; beyond some hundred there is no gain.
const maxGroup = 256

// lead runs own and the waiting ops, then hands over.
func (c *committer) lead(ctx context.Context, own *op) {
	own.leads = true
	// own is answered by lead's return, the others by a step.
	var others []*op
	defer func() {
		if own.gone {
			// This goroutine is panicking or ending, which must not affect the others.
			c.rollback()
		}
		for _, o := range others {
			c.finish(o)
		}
		c.handOver()
	}()
	if c.shared {
		// The callers that have just been answered are likely to return soon. Letting them
		// run first is faster than committing alone while they gather.
		runtime.Gosched()
	}
	err := c.inTurn(ctx, own.since, func() error {
		if err := c.connect(); err != nil {
			return err
		}
		if own.step && c.noneWaiting() {
			c.shared = false
			err := own.fn(c.conn)
			if !busy(err) {
				own.err, err = c.stepResult(own, err), nil
			}
			return err
		}
		if err := c.conn.begin(); err != nil {
			return err
		}
		others = c.take(maxGroup - 1)
		c.shared = len(others) > 0
		c.transact(append([]*op{own}, others...))
		return nil
	})
	if err != nil {
		own.err = err
	}
}

// finish answers an op of the leader's group. If the leader's own function did not return
// before the op was run, it is run now.
func (c *committer) finish(o *op) {
	if !o.final && !o.gone {
		c.rerun(o)
	}
	if !o.gone {
		o.next <- answered
	}
}

// transact runs the group in the transaction that has begun, and commits it.
func (c *committer) transact(group []*op) {
	for _, o := range group {
		switch {
		case len(group) == 1:
			c.callAlone(o)
		case o.step:
			c.call(o)
		default:
			c.callSaved(o)
		}
		if c.conn.broken != nil {
			c.lost(group, o)
			return
		}
	}
	if err := c.conn.complete(); err != nil {
		c.conn.broken = err
		c.lost(group, nil) // rerunning each op alone shows which one is to blame
		return
	}
	if len(group) == 1 && group[0].err != nil {
		c.rollback()
	} else if err := c.conn.commit(); err != nil {
		c.uncommitted(group, err)
	}
	for _, o := range group {
		o.final = true
	}
}

// callAlone runs o in a transaction of its own.
func (c *committer) callAlone(o *op) {
	c.call(o)
	if o.err == nil && !o.gone {
		o.err = c.conn.complete()
	}
}

// callSaved runs o under a savepoint, so that it can fail on its own.
func (c *committer) callSaved(o *op) {
	if o.err = c.conn.savepoint(); o.err != nil {
		return
	}
	c.call(o)
	if o.err != nil || o.gone {
		if err := c.conn.rollbackTo(); err != nil && c.conn.broken == nil {
			// There is no such savepoint: the transaction has ended.
			c.conn.broken = err
		}
	}
	if c.conn.broken == nil {
		if _, err := c.conn.run(release); err != nil {
			c.conn.broken = err
		}
	}
}

// call runs o's function on the right goroutine.
func (c *committer) call(o *op) {
	switch {
	case o.step:
		o.err = o.fn(c.conn)
	case o.leads:
		c.runHere(o)
	default:
		o.next <- runs
		<-o.ran
	}
}

// runHere runs o's function on this goroutine, its caller's.
func (c *committer) runHere(o *op) {
	o.gone = true
	defer func() {
		c.closure.Store(0)
		unmarked()
		if !o.leads {
			o.ran <- struct{}{}
		}
	}()
	c.closure.Store(marked())
	o.err = o.fn(c.conn)
	o.gone = false
}

// lost handles a group whose transaction ended while culprit ran; nil means that the op is
// not known. No op is acknowledged; the others run again, each in a transaction of its own.
func (c *committer) lost(group []*op, culprit *op) {
	cause := c.conn.broken
	again := unwritten(cause) && c.ballast.release()
	c.each(group, func(o *op) {
		switch {
		case o != culprit || again:
			c.rerun(o)
		case o.err == nil:
			o.err = cause
		}
	})
}

// each calls answer for every op of the group whose function has returned. The leader's
// own, the first, comes last: if its function does not return this time, the others have
// been answered.
func (c *committer) each(group []*op, answer func(*op)) {
	for _, o := range slices.Concat(group[1:], group[:1]) {
		if !o.gone {
			answer(o)
			o.final = true
		}
	}
}

// rerun runs o in a transaction of its own.
func (c *committer) rerun(o *op) {
	err := retryBusy(context.Background(), time.Time{}, c.patience, func() error {
		if err := c.connect(); err != nil {
			return err
		}
		return c.conn.begin()
	})
	if err != nil {
		o.err = err
		return
	}
	c.callAlone(o)
	switch {
	case c.conn.broken != nil:
		if o.err == nil {
			o.err = c.conn.broken
		}
	case o.err != nil || o.gone:
		c.rollback()
	default:
		if err := c.conn.commit(); err != nil {
			c.uncommitted([]*op{o}, err)
		}
	}
}

// uncommitted handles a group whose commit failed. If there was no room nothing has been
// written; after any other failure of the storage the result is unknown, and running the
// group again might apply it twice.
func (c *committer) uncommitted(group []*op, cause error) {
	again := unwritten(cause) && c.ballast.release()
	c.discard()
	c.each(group, func(o *op) {
		switch {
		case again:
			c.rerun(o)
		case o.err != nil:
		case unwritten(cause):
			o.err = cause
		default:
			o.err = fmt.Errorf("%w: %w", broker.ErrUncertain, cause)
		}
	})
}

// stepResult returns the result of a step that ran as a statement of its own.
func (c *committer) stepResult(o *op, err error) error {
	if err == nil || c.conn.broken == nil {
		return err
	}
	if !unwritten(err) {
		return fmt.Errorf("%w: %w", broker.ErrUncertain, err)
	}
	if c.ballast.release() {
		c.rerun(o)
		return o.err
	}
	return err
}

// rollback rolls the transaction back.
func (c *committer) rollback() {
	if c.conn == nil {
		return
	}
	if err := c.conn.rollback(); err != nil {
		c.discard()
	}
}
