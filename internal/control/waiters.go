package control

import (
	"context"
	"slices"
	"sync"

	"weft/internal/ledger"
	"weft/taskspec"
)

// Waiters are those who wait for orders to be carried out on one task. Nil and the zero
// value have none.
type Waiters struct {
	mu     sync.Mutex
	list   []waiter
	ended  *taskspec.Outcome // nil until the task has
	paused bool              // it stands still
}

type waiter struct {
	command ledger.Command
	done    chan Answer
}

// Add adds one who waits. At most one answer comes.
func (w *Waiters) Add(c ledger.Command) <-chan Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := make(chan Answer, 1)
	w.list = append(w.list, waiter{c, done})
	w.tell()
	return done
}

// Ended tells all of them that the task has ended.
func (w *Waiters) Ended(o taskspec.Outcome) {
	if w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = &o
		w.tell()
	}
}

// OnPaused tells those who wait for it that the task stands still, or goes on.
func (w *Waiters) OnPaused(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
	w.tell()
}

// Lost tells all of them that nobody knows what becomes of the task.
func (w *Waiters) Lost() {
	if w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, x := range w.list {
			close(x.done)
		}
		w.list = nil
	}
}

// tell answers those whose orders have been carried out.
func (w *Waiters) tell() {
	w.list = slices.DeleteFunc(w.list, func(x waiter) bool {
		switch x.command {
		case ledger.CommandPause:
			if w.ended == nil && !w.paused {
				return false
			}
		case ledger.CommandResume:
			if w.ended == nil && w.paused {
				return false
			}
		case ledger.CommandInterrupt, ledger.CommandCloseStdout, ledger.CommandCloseStderr:
			// done as soon as the process has it
		default:
			if w.ended == nil {
				return false
			}
		}
		x.done <- Answer{Done: true, Outcome: w.ended}
		return true
	})
}

// Relay says that an order was taken, and then what comes from done.
func Relay(ctx context.Context, done <-chan Answer, answer func(Answer)) {
	answer(Answer{})
	select {
	case a := <-done:
		answer(a)
	case <-ctx.Done():
	}
}
