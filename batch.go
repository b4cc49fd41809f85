package weft

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// A Batch waits for many tasks at the cost of one: it reads the project's log
// of events instead of asking for each task. It belongs to one goroutine.
type Batch struct {
	project *Project
	waiter  *broker.Waiter
	waiting map[string]bool // by TID; what has not ended, as far as is known
	ended   []*TaskStatus   // not returned yet
	after   broker.ID       // the log has been read so far
	watch   *watch
}

// NewBatch returns a Batch without tasks. The caller must close it.
func (p *Project) NewBatch() (*Batch, error) {
	w, err := p.broker.Listen(ledger.Log)
	if err != nil {
		return nil, fmt.Errorf("wait for tasks: %w", err)
	}
	return &Batch{project: p, waiter: w, waiting: make(map[string]bool), watch: newWatch(p)}, nil
}

// Close ends the waiting; the tasks go on.
func (b *Batch) Close() { b.waiter.Close() }

// Len is the number of tasks that Next has not returned.
func (b *Batch) Len() int { return len(b.waiting) + len(b.ended) }

// Add adds tasks of the batch's project.
func (b *Batch) Add(ctx context.Context, tasks ...*Task) error {
	for _, t := range tasks {
		id, err := broker.ParseID(t.tid)
		if err != nil {
			return err
		}
		if b.waiting[t.tid] {
			continue
		}
		b.waiting[t.tid] = true
		// What happened to it comes later in the log than its own id. A task
		// that is older than what has been read may have ended before; so may
		// one that was not just submitted, and its end be cleared from the log.
		if b.after == 0 {
			b.after = id
		}
		if id < b.after || !t.isNew {
			if err := b.check(ctx, t.tid); err != nil {
				return err
			}
		}
	}
	return nil
}

// Next waits until one more of the tasks has ended and says how it did. It
// starts a manager whenever the project has none. [io.EOF] means that no task
// is left. Cancelling ctx ends the wait and leaves the tasks alone.
func (b *Batch) Next(ctx context.Context) (*TaskStatus, error) {
	for {
		if len(b.ended) > 0 {
			s := b.ended[0]
			b.ended = b.ended[1:]
			return s, nil
		}
		if len(b.waiting) == 0 {
			return nil, io.EOF
		}
		if err := b.read(ctx); err != nil {
			return nil, err
		}
		if len(b.ended) > 0 {
			continue
		}
		if b.watch.due() {
			if err := b.poll(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if err := waitFor(ctx, b.waiter, managerLook); err != nil {
			return nil, err
		}
	}
}

// read reads what is new in the log.
func (b *Batch) read(ctx context.Context) error {
	for e, err := range ledger.EventsAfter(ctx, b.project.broker, b.after) {
		if err != nil {
			return err
		}
		b.after = e.ID
		if !e.Status.Terminal() || !b.waiting[e.TID] {
			continue
		}
		// It may be the end of an attempt after which the task was retried.
		if err := b.check(ctx, e.TID); err != nil {
			return err
		}
	}
	return nil
}

// askedAtOnce is how many of the tasks, any of them, are read themselves at each poll.
const askedAtOnce = 50

// poll makes sure that there is a manager, and that no end was missed because
// the log was cleared.
func (b *Batch) poll(ctx context.Context) error {
	if err := b.watch.look(ctx); err != nil {
		return fmt.Errorf("%d tasks wait: %w: %w", len(b.waiting), ErrManager, err)
	}
	oldest, err := b.project.Queue(ledger.Log).Peek(ctx)
	if err != nil && !errors.Is(err, broker.ErrEmpty) {
		return err
	}
	most := len(b.waiting)
	if err == nil && oldest.ID <= b.after {
		most = askedAtOnce // one whose record is damaged has no events
	}
	for tid := range b.waiting {
		if most--; most < 0 {
			break
		}
		if err := b.check(ctx, tid); err != nil {
			return err
		}
	}
	return nil
}

// check reads the record of a task to see whether it has ended.
func (b *Batch) check(ctx context.Context, tid string) error {
	t := Task{project: b.project, tid: tid}
	l, err := loadTask(ctx, &t)
	var s *TaskStatus
	if err == nil {
		s = newStatus(l)
		if b.watch.late() {
			b.project.notices.say(haltedConsumer(l))
		}
	}
	if damaged, is := errors.AsType[*DamagedError](err); is {
		s, err = &TaskStatus{TID: tid, Status: taskspec.StatusFailed, Error: damaged.Error()}, nil
	}
	if err == nil && s.Status.Terminal() {
		delete(b.waiting, tid)
		b.ended = append(b.ended, s)
	}
	return err
}
