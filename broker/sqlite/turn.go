package sqlite

import (
	"context"
	"math/rand/v2"
	"time"

	"weft/broker"
)

// Processes that find the store locked wait in turn: each asks for a lock on
// the store's folder, which the kernel gives in the order in which it was asked
// for. Only the first of them tries to get the store, again and again, because
// nobody is told when SQLite's lock is free. A process that finds the store free
// takes it, until it has written without a pause for a slice of time; then it
// lets those that wait go ahead. Who is alone locks no folder at all.
//
// SQLite's lock alone decides who writes. If the first does not take the store
// although it is free, because it has been stopped, the others go past it.

const (
	// slice is how long a process may write without a pause while others wait, and
	// how long a pause is. Each time the store passes on to another process, that
	// one reads again what it had in memory of it.
	slice = 10 * time.Millisecond
	// stuckAfter is for how long nobody writes before those behind the first try
	// for themselves.
	stuckAfter = time.Second
	// distrust is for how long a process that went past the first waits in no
	// order.
	distrust = 10 * time.Second
)

// turns is what a process remembers of its turns. It belongs to the leader.
type turns struct {
	dir     string    // of the store
	began   time.Time // to write without a pause
	ended   time.Time // the last transaction
	trusted time.Time // it waits in no order until then
}

// over reports whether this process has to let others go ahead.
func (t *turns) over(now time.Time) bool {
	switch {
	case now.Sub(t.ended) >= slice:
		t.began = now
		return false
	case now.Sub(t.began) < slice || now.Before(t.trusted):
		return false
	}
	t.began = now
	return othersWait(t.dir)
}

// inTurn repeats try while other processes hold the store, and gives up when
// none of them has written for as long as the committer's patience. It counts
// from since, or if that is zero from now.
func (c *committer) inTurn(ctx context.Context, since time.Time, try func() error) error {
	defer func() { c.turns.ended = time.Now() }()
	now := time.Now()
	if !c.turns.over(now) {
		if err := try(); !busy(err) {
			return err
		}
	}
	if c.moves() || since.IsZero() {
		since = now
	}
	t := unordered()
	if now.After(c.turns.trusted) {
		t = takeTicket(c.turns.dir)
	}
	defer t.leave()
	w := waiter{ticket: t, since: since, patience: c.patience, moves: c.moves}
	err := w.wait(ctx, try)
	c.turns.began = time.Now()
	if w.past {
		c.turns.trusted = c.turns.began.Add(distrust)
	}
	return err
}

// moves reports whether other processes have written since it was last asked.
func (c *committer) moves() bool {
	return c.conn != nil && c.conn.broken == nil && c.conn.othersWrote()
}

// othersWrote is the same for what uses other connections.
func (c *conn) othersWrote() bool {
	n, err := c.pragma(context.Background(), "data_version")
	wrote := err == nil && n != c.version
	if wrote {
		c.version = n
	}
	return wrote
}

// A waiter waits for the store.
type waiter struct {
	ticket   *ticket
	since    time.Time // when it began, or last saw others write
	patience time.Duration
	moves    func() bool // others have written since it was last asked
	past     bool        // it went past the first
}

// wait repeats try until it is not busy, ctx ends, or nobody has written for too
// long.
func (w *waiter) wait(ctx context.Context, try func() error) error {
	err := broker.ErrBusy
	for began := time.Now(); ; {
		if time.Since(w.since) > w.patience {
			if !w.moves() {
				return err
			}
			w.since = time.Now()
		}
		timer := time.NewTimer(w.pause(time.Since(began)))
		select {
		case <-w.ticket.turn:
			timer.Stop()
			w.ticket.first, began = true, time.Now()
		case <-timer.C:
			if !w.ticket.first && w.moves() {
				w.since = time.Now()
				continue
			}
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if err = try(); !busy(err) {
			w.past = !w.ticket.first
			return err
		}
	}
}

// pause is how long to wait between two tries. The first adds little to what it
// has waited already, so that the store is free only for a moment.
func (w *waiter) pause(waited time.Duration) time.Duration {
	p := max(min(stuckAfter, w.patience), time.Millisecond)
	if w.ticket.first {
		p = min(max(waited/100, 20*time.Microsecond), 5*time.Millisecond)
	}
	return p/2 + rand.N(p)
}

// A ticket is a place among the processes that wait for a store.
type ticket struct {
	first  bool
	turn   chan struct{} // receives when it becomes the first
	left   chan struct{} // closed if it is given up before
	unlock func()        // lets the next one be the first
}

// unordered is the ticket of who waits in no order.
func unordered() *ticket { return &ticket{first: true, unlock: func() {}} }

// leave gives it up.
func (t *ticket) leave() {
	if t.first {
		t.unlock()
	} else {
		close(t.left)
	}
}
