package sqlite

import (
	"context"
	"math/rand/v2"
	"time"

	"weft/broker"
)

// Processes that find the store locked wait in turn: each requests a lock on the store's
// folder, which the kernel grants in the order of the requests. Only the first of them
// tries to lock the store, repeatedly, because no process is notified when SQLite's lock is
// released. A process that finds the store free takes it, until it has written without a
// pause for a slice of time; then it lets waiting processes go first. A process without
// competitors locks no folder at all.
//
// SQLite's lock alone decides which process writes. If the first one does not take the
// store although it is free, because it has been stopped, the others overtake it.

const (
	// slice is how long a process may write without a pause while others wait, and the
	// length of a pause. Each time the store passes to another process, that process
	// rereads what it had cached of it.
	slice = 10 * time.Millisecond
	// stuckAfter is how long no process may write before those behind the first one try
	// themselves.
	stuckAfter = time.Second
	// distrust is how long a process that has overtaken the first one waits in no order.
	distrust = 10 * time.Second
)

// turns is the state of a process's turns. It belongs to the leader.
type turns struct {
	dir     string    // of the store
	began   time.Time // of writing without a pause
	ended   time.Time // of the last transaction
	trusted time.Time // the process waits in no order until then
}

// over reports whether this process has to let others go first.
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

// inTurn repeats try while other processes hold the store, and gives up when none of them
// has written for as long as the committer's patience, counted from since, or if that is
// zero from now.
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

// moves reports whether other processes have written since its last call.
func (c *committer) moves() bool {
	return c.conn != nil && c.conn.broken == nil && c.conn.othersWrote()
}

// othersWrote is moves for other connections.
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
	since    time.Time // when it started, or last saw another process write
	patience time.Duration
	moves    func() bool // others have written since its last call
	past     bool        // it has overtaken the first
}

// wait repeats try until it is not busy, ctx ends, or no process has written for too long.
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

// pause returns the time between two tries. For the first process it is short compared with
// the time it has waited, so that the store is not left free for long.
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
	turn   chan struct{} // receives when the ticket becomes the first
	left   chan struct{} // closed if it is given up before
	unlock func()        // lets the next one be the first
}

// unordered returns a ticket for waiting in no order.
func unordered() *ticket { return &ticket{first: true, unlock: func() {}} }

// leave gives the ticket up.
func (t *ticket) leave() {
	if t.first {
		t.unlock()
	} else {
		close(t.left)
	}
}
