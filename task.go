package weft

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// A Task is a handle on a task of a project. It may be shared; there is nothing
// to close. It outlives its process: [Project.Task] finds a task again by its
// TID.
type Task struct {
	project *Project
	tid     string

	// What a submission knows of it: its key, and whether it made the task.
	key   string
	isNew bool
	local *runner.LocalRun // nil unless it was begun here at once
}

// TID is the task's full id, 19 digits.
func (t *Task) TID() string { return t.tid }

// Task finds a task by its full TID, by a unique end of it of at least four
// digits, or by "@last", the newest that is no stage of a pipeline. There may be a T
// before the digits, or a P, as in the names of queues. Errors wrap [ErrNoTask] or [ErrAmbiguous].
func (p *Project) Task(ctx context.Context, tid string) (*Task, error) {
	full, err := findTID(ctx, p.broker, tid)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", tid, err)
	}
	return &Task{project: p, tid: full}, nil
}

// The shortest and the full form of a TID.
const (
	minTID  = 4
	fullTID = 19
)

func findTID(ctx context.Context, b *broker.Broker, tid string) (string, error) {
	if len(tid) > minTID && (tid[0] == 'T' || tid[0] == 'P') {
		tid = tid[1:]
	}
	switch {
	case tid == "@last":
		return lastTID(ctx, b)
	case strings.Trim(tid, "0123456789") != "" || len(tid) < minTID || len(tid) > fullTID:
		return "", fmt.Errorf("%w: want %d digits, or at least the last %d", ErrNoTask, fullTID, minTID)
	case len(tid) == fullTID:
		_, err := b.Record(ctx, ledger.Kind, tid)
		if errors.Is(err, broker.ErrNotFound) {
			err = ErrNoTask
		}
		return tid, err
	}
	recs, err := b.Records(ctx, ledger.Kind, broker.RecordSelect{KeySuffix: tid, Limit: 2})
	switch {
	case err != nil:
		return "", err
	case len(recs) == 0:
		return "", ErrNoTask
	case len(recs) > 1:
		return "", ErrAmbiguous
	}
	return recs[0].Key, nil
}

// lastTID is the id of the newest task that is no stage of a pipeline: nobody has
// submitted one.
func lastTID(ctx context.Context, b *broker.Broker) (string, error) {
	sel := broker.RecordSelect{Newest: true, Limit: 1}
	for {
		recs, err := b.Records(ctx, ledger.Kind, sel)
		if err != nil {
			return "", err
		}
		if len(recs) == 0 {
			return "", ErrNoTask
		}
		if t, err := ledger.Decode(recs[0]); err == nil && t.Stage == 0 {
			return t.TID, nil
		}
		sel.BeforeRank = recs[0].Rank
	}
}

// Status returns the current state of the task.
func (t *Task) Status(ctx context.Context) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	return newStatus(l), nil
}

// Wait waits until the task has ended and returns how it ended. It starts a manager
// when the project has none. Cancelling ctx ends the wait and leaves the
// task alone.
func (t *Task) Wait(ctx context.Context) (*TaskStatus, error) {
	l, err := awaitTask(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	return newStatus(l), nil
}

// Stop asks the task to end with SIGTERM, kills it when its grace period is over, and
// waits until it has ended. A task that has not started never starts. Stop returns how
// the task ended, which has another cause if the request came too late. Cancelling ctx
// ends the wait, not the request.
//
// If the store cannot be written, the error is [ErrUnrecorded], and Stop still returns
// how the task ended. The error wraps [ErrStuck] if the request will not be carried out
// soon.
func (t *Task) Stop(ctx context.Context) (*TaskStatus, error) {
	return end(ctx, t, ledger.CommandStop)
}

// Kill kills the task with all its processes, and waits until it has ended. Otherwise
// it is like [Task.Stop].
func (t *Task) Kill(ctx context.Context) (*TaskStatus, error) {
	return end(ctx, t, ledger.CommandKill)
}

func end(ctx context.Context, t *Task, command ledger.Command) (*TaskStatus, error) {
	var l *ledger.Task
	err := t.project.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		l, err = ledger.End(tx, t.tid, command, time.Now())
		return err
	})
	if errors.Is(err, broker.ErrDamaged) {
		told := t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.EndDamaged(tx, t.tid, command) })
		err = errors.Join(err, told)
	}
	var s *TaskStatus
	switch {
	case unwritable(err):
		s, err = beside(ctx, t, command, err)
	case err == nil && l.Status.Terminal():
		s = newStatus(l)
	case err == nil && t.local != nil:
		s, err = t.Wait(ctx)
	case err == nil:
		s, err = awaitOrder(ctx, t, command, func(*ledger.Task) error { return nil })
	}
	if err != nil {
		err = fmt.Errorf("%s task %s: %w", strings.ToLower(string(command)), t.tid, err)
	}
	return s, err
}

// loadTask reads the task's record.
func loadTask(ctx context.Context, t *Task) (*ledger.Task, error) {
	r, err := t.project.broker.Record(ctx, ledger.Kind, t.tid)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, fmt.Errorf("task %s: %w", t.tid, ErrNoTask)
	}
	if err != nil {
		return nil, err
	}
	return ledger.Decode(r)
}

// awaitTask waits for the end of the task and calls look, if it is not nil, with
// the task's record whenever it may have changed or the task may have written
// something.
func awaitTask(ctx context.Context, t *Task, look func(*ledger.Task) error) (*ledger.Task, error) {
	if t.local != nil && look == nil {
		if l := t.local.Wait(ctx); l != nil {
			return l, nil
		}
	}
	w, err := t.project.broker.Listen(ledger.OutboxOf(t.tid))
	if err != nil {
		return nil, err
	}
	defer w.Close()
	watch := newWatch(t.project)
	for {
		l, err := loadTask(ctx, t)
		if err != nil {
			return nil, err
		}
		if look != nil {
			if err := look(l); err != nil {
				return nil, err
			}
		}
		if l.Status.Terminal() {
			return l, nil
		}
		if watch.due() {
			if err := t.project.broker.View(ctx, func(r broker.Reader) error { return ledger.CheckTask(r, l) }); err != nil {
				return nil, err
			}
		}
		if err := watch.look(ctx); err != nil {
			return nil, fmt.Errorf("task %s waits: %w: %w", t.tid, ErrManager, err)
		}
		if watch.late() {
			t.project.notices.say(haltedConsumer(l))
		}
		if err := waitFor(ctx, w, managerLook); err != nil {
			return nil, err
		}
	}
}

// waitFor waits for a notification, at most for d.
func waitFor(ctx context.Context, w *broker.Waiter, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.C():
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// IsNew reports whether the submission that returned t made the task. It is
// false for one that held its key already, and for what [Project.Task] finds.
func (t *Task) IsNew() bool { return t.isNew }
