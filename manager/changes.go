package manager

import (
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// changes is what one cycle has to write.
type changes struct {
	notes        []note
	chunks       []chunks
	items        []itemRequest
	finished     []finished
	lost         []task
	undispatched []*ledger.Job // to be refused, or forwarded: no consumer runs them
	dispatched   []dispatched
}

// A note is a change that no consumer waits for.
type note struct {
	what  string
	write func(tx *broker.Tx, now time.Time) error
}

// chunks are output of a task; from waits for their acknowledgement.
type chunks struct {
	from *consumer
	what *ledger.Chunks
}

// finished is a hand-off; from waits for its acknowledgement. known is the task's record
// if, as far as the manager knows, it has not changed since the task was dispatched.
type finished struct {
	from  *consumer
	what  *ledger.HandOff
	known *ledger.Task
}

// dispatched is a job that has been assigned to a consumer, which may start it when the
// transaction is committed.
type dispatched struct {
	to   *consumer
	job  *ledger.Job
	task *ledger.Task // nil: the request was withdrawn
	next nextItem     // of a persistent task
}

func (w *changes) empty() bool {
	return len(w.notes)+len(w.chunks)+len(w.items)+len(w.finished)+len(w.lost)+len(w.undispatched)+len(w.dispatched) == 0
}

// note adds a note.
func (w *changes) note(what string, write func(tx *broker.Tx, now time.Time) error) {
	w.notes = append(w.notes, note{what, write})
}

// write writes everything but the dispatches.
func (w *changes) write(tx *broker.Tx, now time.Time) error {
	for _, n := range w.notes {
		if err := n.write(tx, now); err != nil {
			return fmt.Errorf("note %s: %w", n.what, err)
		}
	}
	for _, c := range w.chunks {
		if err := ledger.WriteChunks(tx, c.what); err != nil && !errors.Is(err, ledger.ErrStale) {
			return fmt.Errorf("write output of task %s: %w", c.what.TID, err)
		}
	}
	for i := range w.items {
		if err := w.items[i].write(tx, now); err != nil {
			return err
		}
	}
	for _, f := range w.finished {
		// A stale hand-off changes nothing; its consumer is acknowledged all the same.
		if err := ledger.Finish(tx, f.what, f.known); err != nil && !errors.Is(err, ledger.ErrStale) {
			return fmt.Errorf("finish task %s: %w", f.what.TID, err)
		}
	}
	for _, t := range w.lost {
		if err := ledger.MarkLost(tx, t.tid, t.epoch, now); err != nil {
			return fmt.Errorf("mark task %s lost: %w", t.tid, err)
		}
	}
	for _, j := range w.undispatched {
		decline := ledger.Refuse
		if j.NotForConsumer() {
			decline = ledger.Forward
		}
		if err := decline(tx, j, now); err != nil {
			return fmt.Errorf("decline task %s: %w", j.TID, err)
		}
	}
	return nil
}

// invalidate makes the tasks be read again before they are written.
func (w *changes) invalidate() {
	for i := range w.finished {
		w.finished[i].known = nil
	}
}

// singles splits the changes, so that each can be tried on its own.
func (w *changes) singles() (all []*changes) {
	for _, n := range w.notes {
		all = append(all, &changes{notes: []note{n}})
	}
	for _, c := range w.chunks {
		all = append(all, &changes{chunks: []chunks{c}})
	}
	for i := range w.items {
		// a slice of the same element, as below
		all = append(all, &changes{items: w.items[i : i+1]})
	}
	for _, f := range w.finished {
		all = append(all, &changes{finished: []finished{f}})
	}
	for _, t := range w.lost {
		all = append(all, &changes{lost: []task{t}})
	}
	for _, j := range w.undispatched {
		all = append(all, &changes{undispatched: []*ledger.Job{j}})
	}
	for i := range w.dispatched {
		// a slice of the same element: the task is set in place
		all = append(all, &changes{dispatched: w.dispatched[i : i+1]})
	}
	return all
}
