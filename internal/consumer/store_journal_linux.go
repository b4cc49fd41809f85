package consumer

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

// A storeJournal records for one task what the manager recorded while there was one. It
// opens the store when it is first needed.
type storeJournal struct {
	task *ledger.Assignment
	self proc.Identity

	mu    sync.Mutex
	store *broker.Broker
}

// errNoProject means that the project was deleted while the task ran.
var errNoProject = errors.New("project does not exist any more")

func (j *storeJournal) broker() (*broker.Broker, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.store != nil {
		return j.store, nil
	}
	b, err := sqlite.Open(j.task.WeftDir, sqlite.Options{
		Existing:   true,
		Durability: sqlite.ParseDurability(j.task.Durability),
		Options:    broker.Options{MaxMessage: j.task.MaxMessage},
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errNoProject
	}
	j.store = b
	return b, err
}

func (j *storeJournal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.store != nil {
		_ = j.store.Close()
	}
}

// forget closes a store that is gone, so that another one is looked for in its place.
// The store may have gone while it was opened; then b is nil.
func (a *storeJournal) forget(gone *broker.Broker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if gone != nil && a.store == gone {
		a.store = nil
		_ = gone.Close()
	}
}

// errNotOurs means that another store has replaced the first one and assigns the task
// differently: another consumer may be running it.
var errNotOurs = errors.New("task is not this consumer's any more")

// unrecorded reports whether err means that no store knows that the task runs here.
func unrecorded(err error) bool {
	return errors.Is(err, errNoProject) || errors.Is(err, errNotOurs) || errors.Is(err, broker.ErrNotFound)
}

// retry repeats try until it succeeds or can no longer succeed. The store may be full or
// busy for a while; the result of the task must not be lost for that.
func (j *storeJournal) retry(done <-chan struct{}, try func(*broker.Broker) error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, fullRetry) {
		b, err := j.broker()
		if err == nil {
			err = try(b)
		}
		if err == nil || unrecorded(err) || errors.Is(err, ledger.ErrStale) {
			return err
		}
		// A store that is being removed or replaced may be invalid for a short time; while
		// the task runs, that may pass.
		if done == nil && (errors.Is(err, broker.ErrNotStore) || errors.Is(err, broker.ErrNewer)) {
			return err
		}
		if errors.Is(err, broker.ErrGone) {
			j.forget(b)
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

// reserved returns the permit that the manager died before sending, or nil if the
// reservation for this consumer was never committed. The next manager may have given the
// task to another consumer with the same epoch.
func (j *storeJournal) reserved() (p *Permit, err error) {
	err = j.retry(nil, func(b *broker.Broker) error {
		t, err := j.taskRecord(b)
		if err != nil {
			return err
		}
		if j.owns(t) {
			p = &Permit{Message: t.Message.String()}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the reservation of task %s: %w", j.task.TID, err)
	}
	return p, nil
}

// owns reports whether the task is this consumer's to run.
func (j *storeJournal) owns(t *ledger.Task) bool {
	return t.Epoch == j.task.Epoch && t.Consumer == j.self && t.Status == taskspec.StatusRunning
}

// taskRecord returns the task's record.
func (j *storeJournal) taskRecord(b *broker.Broker) (*ledger.Task, error) {
	r, err := b.Record(context.Background(), ledger.Kind, j.task.TID)
	if err != nil {
		return nil, err
	}
	return ledger.Decode(r)
}

// orderedRecord is taskRecord for reading the task's orders. A task with a damaged record can
// still be told to end.
func (j *storeJournal) orderedRecord(b *broker.Broker) (*ledger.Task, error) {
	t, err := j.taskRecord(b)
	if errors.Is(err, broker.ErrDamaged) {
		return &ledger.Task{Epoch: j.task.Epoch, Consumer: j.self, Status: taskspec.StatusRunning}, nil
	}
	return t, err
}

// watchControl applies the control messages of the task until done is closed. It starts
// with the order in the record: the manager may have died before passing that on. A task
// that no store knows to run here is stopped: no other process could.
func (j *storeJournal) watchControl(apply func(Order), done <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	// Other errors are retried for as long as the task runs.
	err := j.retry(done, func(b *broker.Broker) error {
		t, err := j.orderedRecord(b)
		if err != nil {
			return err
		}
		w, err := b.Listen(append(ledger.Controls(t), ledger.QueuesOf(j.task.TID).ControlIn)...)
		if err != nil {
			return err
		}
		defer w.Close()
		if t, err = j.orderedRecord(b); err != nil { // an order that came before Listen
			return err
		}
		if !j.owns(t) {
			return errNotOurs
		}
		if t.Ordered != "" {
			apply(OrderFor(t.Ordered))
		}
		if t.Hold != t.Paused {
			apply(Order{Pause: &t.Hold})
		}
		for {
			var orders []ledger.Command
			err := b.Update(ctx, func(tx *broker.Tx) (err error) {
				orders, err = ledger.ReadTaskControl(tx, j.task.TID, time.Now(), ledger.Controls(t)...)
				return err
			})
			if err != nil {
				return err
			}
			for _, o := range orders {
				apply(OrderFor(o))
			}
			if err := w.Wait(ctx); err != nil {
				return nil
			}
		}
	})
	if unrecorded(err) {
		apply(OrderFor(ledger.CommandStop))
	}
}

// record records the report. It tries again until the output and the end of the task are
// recorded; other news are soon out of date.
func (j *storeJournal) record(ctx context.Context, r Report) error {
	write := func(b *broker.Broker) error {
		return b.Update(ctx, func(tx *broker.Tx) error { return r.Record(tx, j.task.TID, j.task.Epoch, time.Now()) })
	}
	if r.Chunks != nil || r.Finished != nil {
		return j.retry(nil, write)
	}
	b, err := j.broker()
	if err != nil {
		return err
	}
	return write(b)
}
