package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/taskspec"
)

// storeJournal does for one task what the manager did while there was one. It opens
// the store when it is first needed.
type storeJournal struct {
	task *Assignment
	self proc.Identity

	mu    sync.Mutex
	store *broker.Broker
}

// errNoProject: the project was deleted while the task ran.
var errNoProject = errors.New("project does not exist any more")

func (a *storeJournal) broker() (*broker.Broker, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store != nil {
		return a.store, nil
	}
	b, err := sqlite.Open(a.task.WeftDir, sqlite.Options{
		Existing:   true,
		Durability: sqlite.ParseDurability(a.task.Durability),
		Options:    broker.Options{MaxMessage: a.task.MaxMessage},
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errNoProject
	}
	a.store = b
	return b, err
}

func (a *storeJournal) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store != nil {
		_ = a.store.Close()
	}
}

// forget closes a store that is gone, so that another one is looked for in its place.
// It may have gone while it was opened; then it is nil.
func (a *storeJournal) forget(gone *broker.Broker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if gone != nil && a.store == gone {
		a.store = nil
		_ = gone.Close()
	}
}

// errNotOurs: a store that was put in the place of the first one knows the task
// otherwise, and somebody may be running it again.
var errNotOurs = errors.New("task is not this consumer's any more")

// homeless: nobody but this consumer knows that the task runs.
func homeless(err error) bool {
	return errors.Is(err, errNoProject) || errors.Is(err, errNotOurs) || errors.Is(err, broker.ErrNotFound)
}

// retry repeats try until it succeeds or can no longer succeed. The store
// may be full or busy for a while; what the task did must not be lost for that.
func (a *storeJournal) retry(done <-chan struct{}, try func(*broker.Broker) error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, fullRetry) {
		b, err := a.broker()
		if err == nil {
			err = try(b)
		}
		if err == nil || homeless(err) || errors.Is(err, ledger.ErrStale) {
			return err
		}
		// What is being removed or replaced may be no store for a moment; while the
		// task runs, that may pass.
		if done == nil && (errors.Is(err, broker.ErrNotStore) || errors.Is(err, broker.ErrNewer)) {
			return err
		}
		if errors.Is(err, broker.ErrGone) {
			a.forget(b)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			return err
		}
	}
}

// reserved returns the permission that the manager did not live to give, or nil if
// the reservation for this consumer was never committed. The next manager may have
// given the task to another consumer since, and the epoch is the same then.
func (a *storeJournal) reserved() (p *Permit, err error) {
	err = a.retry(nil, func(b *broker.Broker) error {
		t, err := a.record(b)
		if err != nil {
			return err
		}
		if a.owns(t) {
			p = &Permit{Message: t.Message.String()}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the reservation of task %s: %w", a.task.TID, err)
	}
	return p, nil
}

// owns reports whether the task is this consumer's to run.
func (a *storeJournal) owns(t *ledger.Task) bool {
	return t.Epoch == a.task.Epoch && t.Consumer == a.self && t.Status == taskspec.StatusRunning
}

// record is how the task stands.
func (a *storeJournal) record(b *broker.Broker) (*ledger.Task, error) {
	r, err := b.Record(context.Background(), ledger.Kind, a.task.TID)
	if err != nil {
		return nil, err
	}
	return ledger.Decode(r)
}

// ordered is record for who obeys the task's orders. A task whose record is damaged can
// still be told to end.
func (a *storeJournal) ordered(b *broker.Broker) (*ledger.Task, error) {
	t, err := a.record(b)
	if errors.Is(err, broker.ErrDamaged) {
		return &ledger.Task{Epoch: a.task.Epoch, Consumer: a.self, Status: taskspec.StatusRunning}, nil
	}
	return t, err
}

// watchControl carries out the control messages of the task until done is closed. First
// comes what the manager was told: it may have died before it passed that on. A
// task of which no store knows that it runs here is stopped: nobody else could.
func (a *storeJournal) watchControl(carryOut func(Order), done <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	// What else fails here is tried again for as long as the task runs.
	err := a.retry(done, func(b *broker.Broker) error {
		t, err := a.ordered(b)
		if err != nil {
			return err
		}
		w, err := b.Listen(append(ledger.Controls(t), ledger.QueuesOf(a.task.TID).ControlIn)...)
		if err != nil {
			return err
		}
		defer w.Close()
		if t, err = a.ordered(b); err != nil { // what was ordered before it listened
			return err
		}
		if !a.owns(t) {
			return errNotOurs
		}
		if t.Ordered != "" {
			carryOut(OrderFor(t.Ordered))
		}
		if t.Hold != t.Paused {
			carryOut(Order{Pause: &t.Hold})
		}
		for {
			var orders []ledger.Command
			err := b.Update(ctx, func(tx *broker.Tx) (err error) {
				orders, err = ledger.ReadTaskControl(tx, a.task.TID, time.Now(), ledger.Controls(t)...)
				return err
			})
			if err != nil {
				return err
			}
			for _, o := range orders {
				carryOut(OrderFor(o))
			}
			if err := w.Wait(ctx); err != nil {
				return nil
			}
		}
	})
	if homeless(err) {
		carryOut(OrderFor(ledger.CommandStop))
	}
}

// notePaused records that the task stands still, or goes on.
func (a *storeJournal) notePaused(ctx context.Context, paused bool) error {
	b, err := a.broker()
	if err != nil {
		return err
	}
	return b.Update(ctx, func(tx *broker.Tx) error { return ledger.NotePaused(tx, a.task.TID, a.task.Epoch, paused) })
}

// noteUsage records what the task uses just now, if that can be done at once.
func (a *storeJournal) noteUsage(ctx context.Context, u ledger.Usage) error {
	b, err := a.broker()
	if err != nil {
		return err
	}
	return b.Update(ctx, func(tx *broker.Tx) error { return ledger.NoteUsage(tx, a.task.TID, a.task.Epoch, u, time.Now()) })
}

// chunks puts chunks of the output into the outbox.
func (a *storeJournal) chunks(c *ledger.Chunks) error {
	return a.retry(nil, func(b *broker.Broker) error {
		return b.Update(context.Background(), func(tx *broker.Tx) error { return ledger.WriteChunks(tx, c) })
	})
}

// noteProgress records how far the task's function is, if that can be done at
// once.
func (a *storeJournal) noteProgress(ctx context.Context, p ledger.Progress) error {
	b, err := a.broker()
	if err != nil {
		return err
	}
	return b.Update(ctx, func(tx *broker.Tx) error { return ledger.NoteProgress(tx, a.task.TID, a.task.Epoch, p) })
}

// finish records the end of the task.
func (a *storeJournal) finish(h *ledger.HandOff) error {
	err := a.retry(nil, func(b *broker.Broker) error {
		return b.Update(context.Background(), func(tx *broker.Tx) error { return ledger.Finish(tx, h, nil) })
	})
	if err != nil {
		return fmt.Errorf("hand off task %s: %w", a.task.TID, err)
	}
	return nil
}
