package manager

import (
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// changes is what a turn has to write.
type changes struct {
	notes        []note
	chunks       []chunks
	items        []itemRequest
	finished     []finished
	lost         []task
	undispatched []*ledger.Job // that no consumer gets
	dispatched   []dispatched
}

// A note is a change that nobody waits to hear of.
type note struct {
	what  string
	write func(tx *broker.Tx, now time.Time) error
}

// chunks are what a task has printed; from waits for their acknowledgement.
type chunks struct {
	from *consumer
	what *ledger.Chunks
}

// finished is a hand-off; from waits for its acknowledgement. known is the task
// if nothing has changed it since it was given out, as far as is known here.
type finished struct {
	from  *consumer
	what  *ledger.HandOff
	known *ledger.Task
}

// dispatched is a job that its consumer has, and that it may begin when the
// transaction has been committed.
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

// write writes all but what is dispatched.
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
		// A hand-off that comes too late changes nothing, and its consumer has
		// nothing more to say about it either.
		if err := ledger.Finish(tx, f.what, f.known); err != nil && !errors.Is(err, ledger.ErrStale) {
			return fmt.Errorf("finish task %s: %w", f.what.TID, err)
		}
	}
	for _, t := range w.lost {
		if err := ledger.MarkLost(tx, t.tid, t.epoch, now); err != nil {
			return fmt.Errorf("lose task %s: %w", t.tid, err)
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

// invalidate lets the tasks be read again before they are written.
func (w *changes) invalidate() {
	for i := range w.finished {
		w.finished[i].known = nil
	}
}

// singles takes the work apart, so that each change can be tried alone.
func (w *changes) singles() (all []*changes) {
	for _, n := range w.notes {
		all = append(all, &changes{notes: []note{n}})
	}
	for _, c := range w.chunks {
		all = append(all, &changes{chunks: []chunks{c}})
	}
	for i := range w.items {
		// A window on the same element, as below.
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
		// A window on the same element: the task is set in place.
		all = append(all, &changes{dispatched: w.dispatched[i : i+1]})
	}
	return all
}
