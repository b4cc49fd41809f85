package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/consumer"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/retention"
	"weft/taskspec"
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
	local *consumer.LocalRun // nil unless it was begun here at once
}

// TID is the task's full id, 19 digits.
func (t *Task) TID() string { return t.tid }

// Task finds a task by its address, which is what a person calls it:
//
//   - its full TID, or a unique end of it of at least four digits; there may be a T or
//     a P before the digits, as in the names of queues
//   - "@last", the newest task; "@failed", the newest that failed, timed out or was
//     killed; "@running", the newest that runs: of those that are no stage of a pipeline
//   - its name, which stands for the newest task of that name
//
// Errors wrap [ErrNoTask] or [ErrAmbiguous].
func (p *Project) Task(ctx context.Context, address string) (*Task, error) {
	return p.OnlyTask(ctx, address)
}

// OnlyTask is [Project.Task] for what changes a task. If there is any task with one of the
// statuses that has the name, the name stands for that, and not for the newest of any
// status; several of them are [ErrAmbiguous], and the error names them.
func (p *Project) OnlyTask(ctx context.Context, address string, statuses ...taskspec.Status) (*Task, error) {
	tid, err := ledger.Find(ctx, p.broker, address, statuses...)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", address, err)
	}
	return &Task{project: p, tid: tid}, nil
}

// Status returns the current state of the task. Of one that has not ended it looks at the
// processes, and says what it waits for: it changes nothing. The error wraps [ErrNoTask] if the
// task has been removed: see [System.Tidy].
func (t *Task) Status(ctx context.Context) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err == nil {
		err = readRequests(ctx, t.project.broker, []*ledger.Task{l})
	}
	if err != nil {
		return nil, err
	}
	return (&looker{project: t.project}).status(ctx, l)
}

// Wait waits until the task has ended and returns how it ended; that it did not complete is
// no error of Wait, but [TaskStatus.Err]. It starts a manager when the project has none. Cancelling ctx ends the wait and leaves the
// task alone. The error wraps [ErrNoTask] if the task has been removed.
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
// how the task ended. The error wraps [ErrManagerStuck] if the request will not be carried out
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
	l, err := broker.Update(ctx, t.project.broker, func(tx *broker.Tx) (*ledger.Task, error) {
		return ledger.EndBy(tx, t.tid, command, requester(ctx, t.project), time.Now())
	})
	if errors.Is(err, broker.ErrDamaged) {
		recorded := t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.EndDamaged(tx, t.tid, command) })
		err = errors.Join(err, recorded)
	}
	var s *TaskStatus
	switch {
	case unwritable(err):
		s, err = orderDirectly(ctx, t, command, err)
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

// IsNew reports whether the submission that returned t made the task. It is
// false for one that held its key already, and for what [Project.Task] finds.
func (t *Task) IsNew() bool { return t.isNew }

// Retry runs a task that has ended again, under its id, with the same spec and the
// same input, and returns when that is durable; see [Task.Wait] for its end. A result
// that has not been consumed is lost. Retry starts a manager if there is none.
//
// A pipeline resumes at the stage that did not complete; a stage cannot be retried
// alone.
//
// Errors wrap [ErrNoTask], [ErrNoRetry], [ErrManager], or
// a [taskspec.TransitionError] if the task has not ended.
func (t *Task) Retry(ctx context.Context) error {
	var before *ledger.Task
	managed := false
	err := t.project.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		before, managed, err = ledger.Retry(tx, t.tid, time.Now())
		return err
	})
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return fmt.Errorf("retry task %s: %w", t.tid, err)
	}
	// Each attempt has files of its own; those of the last one nobody can ask
	// for any more.
	if !before.Output.InMemory {
		if err := removeAttempt(t.project, ledger.SourceOf(before)); err != nil {
			return fmt.Errorf("retry task %s: %w", t.tid, err)
		}
	}
	return accepted{waiting: t, managed: managed}.awaitManager(ctx)
}

// Remove removes a task that has ended, with its events, its outputs, a result that has not
// been consumed, a work item that its policy has kept, and its key; of a pipeline also the
// stages. It is unknown then: see [ErrNoTask]. [Retention] does this for old tasks.
//
// Errors wrap [ErrNoTask] or [ErrNotEnded], or say what still needs the task. Cancelling ctx
// before the end may leave the task with fewer events.
func (t *Task) Remove(ctx context.Context) error {
	err := t.project.foreign
	if err == nil {
		err = retention.RemoveTask(ctx, t.project.broker, t.project.dir, t.tid)
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return fmt.Errorf("remove task %s: %w", t.tid, err)
	}
	return nil
}

// removeAttempt removes what an attempt has written.
func removeAttempt(p *Project, a ledger.Attempt) error {
	for _, s := range []ledger.Stream{ledger.Stdout, ledger.Stderr, ledger.Index} {
		if err := project.RemoveOutput(ledger.OutputFile(p.dir, a.TID, a.Epoch, s)); err != nil {
			return err
		}
	}
	return nil
}

// tasksAtOnce is how many tasks [Project.Tasks] reads at once, of each status
// that is asked for. One may hold the 64 KiB of its standard error, and its
// spec.
const tasksAtOnce = 100

// A TaskFilter says which tasks are meant. The zero value means all, newest
// first.
type TaskFilter struct {
	Statuses []taskspec.Status // only tasks with one of these; empty = any
	Name     string            // only tasks whose name matches this pattern, see [broker.Glob]; empty = any
	Tag      string            // only tasks that have this tag; empty = any
	Batch    string            // only tasks of the batch with this id; empty = any
	Since    time.Time         // only tasks that have not ended, or have since then; zero = any
	Oldest   bool              // oldest first

	// RunningFirst yields the tasks that have started first, then those that wait to
	// start, then those that have ended; of each the newest first, or the oldest.
	RunningFirst bool
}

// Tasks iterates over the project's tasks, newest first unless the filter says
// otherwise. It leaves out tasks whose records are damaged: [System.Check] and
// [System.Doctor] name them. Tasks reads some records at a time, so its use of memory
// does not grow with their number. It yields each task at most once, and every task that
// has one of the wanted statuses throughout, also if it changes between them. With the
// oldest first it may yield tasks that are submitted meanwhile.
//
// An error, such as a bad pattern, [ErrNoBatch] or the end of ctx, is in the last pair.
func (p *Project) Tasks(ctx context.Context, f TaskFilter) iter.Seq2[*TaskStatus, error] {
	return func(yield func(*TaskStatus, error) bool) {
		if err := f.each(ctx, p, func(s *TaskStatus) bool { return yield(s, nil) }); err != nil {
			yield(nil, fmt.Errorf("list tasks: %w", err))
		}
	}
}

// CountTasks counts the tasks of a project by status, without reading them.
func (p *Project) CountTasks(ctx context.Context) (map[taskspec.Status]int, error) {
	states, err := broker.CountRecords(ctx, p.broker, ledger.Kind)
	if err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	counts := make(map[taskspec.Status]int, len(states))
	for state, n := range states {
		counts[taskspec.Status(state)] = n
	}
	return counts, nil
}

// ConcurrencyUse returns how many tasks with a concurrency key run, or are about to, and how
// many may; both are 0 if no task with the key runs or waits.
func (p *Project) ConcurrencyUse(ctx context.Context, key string) (running, limit int, err error) {
	err = p.broker.View(ctx, func(r broker.Reader) (err error) {
		running, limit, err = ledger.KeyUse(r, key)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("concurrency key %s: %w", key, err)
	}
	return running, limit, nil
}

// each calls yield with the tasks, until it returns false.
func (f TaskFilter) each(ctx context.Context, p *Project, yield func(*TaskStatus) bool) error {
	look := &looker{project: p}
	name := broker.Pattern{}
	if f.Name != "" {
		var err error
		if name, err = broker.Glob(f.Name); err != nil {
			return err
		}
	}
	matches := func(l *ledger.Task) bool {
		return (f.Name == "" || name.Match(l.Name)) && (f.Tag == "" || slices.Contains(l.Tags, f.Tag)) && (f.Batch == "" || l.Batch == f.Batch) &&
			(f.Since.IsZero() || !l.Status.Terminal() || !unixTime(l.Completed).Before(f.Since))
	}
	if !f.RunningFirst {
		_, err := f.eachPage(ctx, look, matches, yield)
		return err
	}
	started := []taskspec.Status{taskspec.StatusSpawning, taskspec.StatusRunning}
	waiting := []taskspec.Status{taskspec.StatusCreated}
	ended := slices.DeleteFunc(taskspec.Statuses(), func(s taskspec.Status) bool { return !s.Terminal() })
	seen := make(map[string]bool)
	// Tasks may start while those that wait are read, so the started ones are read again.
	for _, group := range [][]taskspec.Status{started, waiting, started, ended} {
		part := f
		part.Statuses = slices.DeleteFunc(slices.Clone(group), func(s taskspec.Status) bool {
			return len(f.Statuses) > 0 && !slices.Contains(f.Statuses, s)
		})
		if len(part.Statuses) == 0 {
			continue
		}
		more, err := part.eachPage(ctx, look, matches, func(s *TaskStatus) bool {
			if seen[s.TID] {
				return true
			}
			if !s.Status.Terminal() {
				seen[s.TID] = true
			}
			return yield(s)
		})
		if !more || err != nil {
			return err
		}
	}
	return nil
}

// eachPage calls yield with the tasks that match, in one order. It reports whether yield
// wants more of them.
func (f TaskFilter) eachPage(ctx context.Context, look *looker, matches func(*ledger.Task) bool, yield func(*TaskStatus) bool) (more bool, err error) {
	b := look.project.broker
	sel := broker.RecordSelect{Newest: !f.Oldest, Limit: tasksAtOnce}
	if f.Batch != "" {
		batch, err := broker.View(ctx, b, func(r broker.Reader) (ledger.Batch, error) { return ledger.FindBatch(r, f.Batch) })
		if errors.Is(err, broker.ErrNotFound) {
			err = ErrNoBatch
		}
		if err != nil {
			return false, fmt.Errorf("batch %s: %w", f.Batch, err)
		}
		sel.AfterRank, sel.BeforeRank = int64(batch.First)-1, int64(batch.Last)+1
	}
	for {
		page, err := f.page(ctx, b, sel)
		if err != nil {
			return false, err
		}
		var found []*ledger.Task
		for _, r := range page {
			// A damaged one Check reports.
			if l, err := ledger.Decode(r); err == nil && matches(l) {
				found = append(found, l)
			}
		}
		if err := readRequests(ctx, b, found); err != nil {
			return false, err
		}
		for _, l := range found {
			s, err := look.status(ctx, l)
			if err != nil {
				return false, err
			}
			if !yield(s) {
				return false, nil
			}
		}
		if len(page) < sel.Limit {
			return true, nil
		}
		if last := page[len(page)-1].Rank; f.Oldest {
			sel.AfterRank = last
		} else {
			sel.BeforeRank = last
		}
	}
}

// readRequests reads what the requests of tasks that have not begun say of them.
func readRequests(ctx context.Context, b *broker.Broker, tasks []*ledger.Task) error {
	if !slices.ContainsFunc(tasks, func(l *ledger.Task) bool { return l.Status == taskspec.StatusCreated }) {
		return nil
	}
	return b.View(ctx, func(r broker.Reader) error {
		for _, l := range tasks {
			if err := ledger.ReadRequest(r, l); err != nil {
				return err
			}
		}
		return nil
	})
}

// page reads the next tasks, of one point in time: a task that goes from one status to
// another is not missed between them.
func (f TaskFilter) page(ctx context.Context, b *broker.Broker, sel broker.RecordSelect) (page []broker.Record, err error) {
	if len(f.Statuses) == 0 {
		return b.Records(ctx, ledger.Kind, sel)
	}
	statuses := slices.Clone(f.Statuses)
	slices.Sort(statuses)
	err = b.View(ctx, func(r broker.Reader) error {
		page = nil
		// One after the other: those of several the store would have to sort
		// anew for each page.
		for _, status := range slices.Compact(statuses) {
			sel.States = []string{string(status)}
			recs, err := r.Records(ledger.Kind, sel)
			if err != nil {
				return err
			}
			page = append(page, recs...)
		}
		return nil
	})
	slices.SortFunc(page, func(a, b broker.Record) int {
		if sel.Newest {
			a, b = b, a
		}
		return cmp.Compare(a.Rank, b.Rank)
	})
	return page[:min(len(page), sel.Limit)], err
}
