package weft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/taskspec"
)

// RunManyOptions are the choices of [Project.RunMany]. The zero value is the default.
type RunManyOptions struct {
	SubmitOptions // of each task; an input they cannot share

	// Batch is the id of the batch that the tasks become, by which [TaskFilter] finds them;
	// empty means a new one: see [NewBatchID].
	Batch string
	// Limit is how many of the tasks may run at once, from 1 to 1,000: a concurrency key of
	// the batch, which holds whatever becomes of this process. 0 means that only the
	// manager's slots bound what runs. It does not go with specs that have a concurrency
	// key or take their work item from a queue.
	Limit int
	// ReadAhead is how many tasks may be unfinished before specs is asked for more; 0 means
	// 100,000. It bounds the store where specs has no end.
	ReadAhead int
	// AsCompleted hands out results in the order in which tasks end, instead of
	// that of their specs.
	AsCompleted bool
	// Submitted, if it is not nil, is called with the number of tasks submitted so
	// far, and whether these are all, on the goroutine that called RunMany.
	Submitted func(total int, all bool)
	// Refused, if it is not nil, is called for each error of specs, and each spec that
	// cannot be submitted, with its place in specs, counted from 1, on the goroutine that
	// called RunMany; the others are submitted. A nil Refused means that the first such
	// error ends the submissions, and RunMany returns it.
	Refused func(place int, err error)
}

// ErrLeave is the cause to cancel the context of [Project.RunMany] with so that the tasks
// go on.
var ErrLeave = errors.New("left, the tasks go on")

// NewBatchID returns an id for a batch that no other has.
func NewBatchID() string { return strings.ToLower(rand.Text()[:12]) }

// submitAtOnce is how many tasks one transaction submits, and discardAtOnce how
// many results one consumes: other writers wait some ten milliseconds for it.
const (
	submitAtOnce  = 200
	discardAtOnce = 100
	// defaultReadAhead tasks that wait take about 200 MB of the store.
	defaultReadAhead = 100_000
)

// RunMany submits tasks as specs yields them, many in one transaction where they come fast,
// and calls done for each task that has ended, on the calling goroutine. If done returns
// true, the result is safe with the caller, and RunMany consumes it. RunMany returns when
// specs is exhausted and all tasks have ended; with a nil done when all are submitted. A nil
// spec stands for a place without a task.
//
// What has been submitted is durable and goes on whatever becomes of this process. The tasks
// are a batch: each knows the id of that, and its place in specs.
//
// An error of specs ends the submissions unless there is [RunManyOptions].Refused; RunMany
// returns it when the submitted tasks have ended. RunMany returns an error of done at once,
// and the tasks go on; results for which done was not called, or failed, are not consumed.
// If ctx ends, RunMany stops the tasks and returns the cause when they have ended; if that
// is [ErrLeave], it submits what it has got from specs, and returns at once.
//
// Specs with the same key are one task, for which done is called once. A task that was
// submitted before, by any process, is treated like the others.
func (p *Project) RunMany(ctx context.Context, specs iter.Seq2[*taskspec.Spec, error], o RunManyOptions, done func(*Task, *TaskStatus) (take bool, err error)) error {
	defer function.Waits(ctx)()
	if o.Batch == "" {
		o.Batch = NewBatchID()
	}
	if o.ReadAhead <= 0 {
		o.ReadAhead = defaultReadAhead
	}
	g, err := p.NewBatch()
	if err != nil {
		return err
	}
	defer g.Close()
	// The submitter reads until ctx ends, and then submits what it has read, unless the
	// tasks are to be stopped.
	submitting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	defer context.AfterFunc(ctx, func() {
		if !left(ctx) {
			stop()
		}
	})()
	m := runMany{project: p, o: o, batch: g, done: done, submitter: newSubmitter(p, specs, o), ended: make(map[string]*TaskStatus), keyed: make(map[string]bool)}
	go m.submitter.run(reading, submitting)
	err = m.run(ctx)
	stopReading()
	if ctx.Err() == nil {
		stop()
	}
	var late []*Task // that were submitted while it ended
	for set := range m.submitter.sets {
		late = append(late, set.tasks...)
	}
	switch {
	case left(ctx):
		return errors.Join(ErrLeave, m.discard(context.WithoutCancel(ctx)))
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), m.stop(context.WithoutCancel(ctx), late))
	}
	return errors.Join(err, m.discard(ctx))
}

// left reports whether ctx has ended so that the tasks go on.
func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLeave) }

// runMany is the state of RunMany.
type runMany struct {
	project   *Project
	o         RunManyOptions
	batch     *Batch // of the tasks that have not ended
	submitter *submitter
	done      func(*Task, *TaskStatus) (take bool, err error)

	total    int                    // submitted
	order    []*Task                // not handed out yet, unless they are handed out as they end
	ended    map[string]*TaskStatus // of these, by TID
	keyed    map[string]bool        // the tasks with a key that were submitted, by TID
	resolved []*Task                // handed out, to be taken
}

// run hands out results until none can come any more.
func (m *runMany) run(ctx context.Context) error {
	for sets := m.submitter.sets; ; {
		if err := m.collect(ctx); err != nil {
			return err
		}
		if sets == nil && (m.batch.Len() == 0 || m.done == nil) {
			return m.submitter.err
		}
		// It takes results before it waits, so that the status is current meanwhile.
		if err := m.discard(ctx); err != nil {
			return err
		}
		set, more, err := m.wait(ctx, sets)
		if err != nil {
			return err
		}
		if !more && sets != nil {
			sets = nil
			m.tell(true)
		}
		if err := m.add(ctx, set); err != nil {
			return err
		}
	}
}

// tell says how many tasks have been submitted.
func (m *runMany) tell(all bool) {
	if m.o.Submitted != nil {
		m.o.Submitted(m.total, all)
	}
}

// wait waits for tasks that have been submitted, or for a reason to look. more
// is false when no more will be submitted.
func (m *runMany) wait(ctx context.Context, sets <-chan submitted) (set submitted, more bool, err error) {
	if m.batch.Len() > 0 && m.batch.watch.due() {
		return set, sets != nil, m.batch.poll(ctx)
	}
	timer := time.NewTimer(managerPoll)
	defer timer.Stop()
	select {
	case set, more = <-sets:
		return set, more, nil
	case <-m.batch.waiter.C():
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return set, sets != nil, err
}

// add begins to wait for tasks.
func (m *runMany) add(ctx context.Context, set submitted) error {
	for _, r := range set.refused {
		m.o.Refused(r.place, r.err)
	}
	tasks := slices.DeleteFunc(set.tasks, m.again)
	if len(tasks) == 0 {
		return nil
	}
	if !m.o.AsCompleted && m.done != nil {
		m.order = append(m.order, tasks...)
	}
	m.total += len(tasks)
	m.tell(false)
	return m.batch.Add(ctx, tasks...)
}

// again reports whether the task was submitted before, for another spec with its
// key, and gives its slot free.
func (m *runMany) again(t *Task) bool {
	if t.key == "" {
		return false
	}
	if m.keyed[t.tid] {
		m.submitter.release()
		return true
	}
	m.keyed[t.tid] = true
	return false
}

// collect hands out those that have ended and whose turn it is.
func (m *runMany) collect(ctx context.Context) error {
	if err := m.batch.read(ctx); err != nil {
		return err
	}
	ended := m.batch.ended
	m.batch.ended = nil
	for _, s := range ended {
		if m.submitter.release(); m.done == nil {
			continue
		}
		if !m.o.AsCompleted {
			m.ended[s.TID] = s
		} else if err := m.handOut(ctx, &Task{project: m.project, tid: s.TID}, s); err != nil {
			return err
		}
	}
	for len(m.order) > 0 {
		t := m.order[0]
		s, ok := m.ended[t.tid]
		if !ok {
			break // the others wait for it
		}
		m.order = m.order[1:]
		delete(m.ended, t.tid)
		if err := m.handOut(ctx, t, s); err != nil {
			return err
		}
	}
	return nil
}

func (m *runMany) handOut(ctx context.Context, t *Task, s *TaskStatus) error {
	take, err := m.done(t, s)
	if err != nil || !take {
		return err
	}
	if m.resolved = append(m.resolved, t); len(m.resolved) < discardAtOnce {
		return nil
	}
	return m.discard(ctx)
}

// discard takes results, in one transaction.
func (m *runMany) discard(ctx context.Context) error {
	tasks := m.resolved
	m.resolved = nil
	return discardAll(ctx, m.project, tasks)
}

// stop stops the tasks that have not ended.
func (m *runMany) stop(ctx context.Context, late []*Task) error {
	for tid := range m.batch.waiting {
		late = append(late, &Task{project: m.project, tid: tid})
	}
	// What has not begun ends first, the newest before the others: the end of a task would
	// let it begin.
	slices.SortFunc(late, func(a, b *Task) int { return strings.Compare(b.tid, a.tid) })
	var begun []*Task
	for set := range slices.Chunk(late, submitAtOnce) {
		var left []*Task
		err := m.project.broker.Update(ctx, func(tx *broker.Tx) error {
			left = nil
			for _, t := range set {
				ended, err := ledger.EndWaiting(tx, t.tid, time.Now())
				if err != nil {
					return err
				}
				if !ended {
					left = append(left, t)
				}
			}
			return nil
		})
		if err != nil {
			left = set // each says what is wrong with it
		}
		begun = append(begun, left...)
	}
	slots := make(chan struct{}, 32) // each holds a waiter
	errs := make([]error, len(begun))
	var stops sync.WaitGroup
	for i, t := range begun {
		stops.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			_, errs[i] = t.Stop(ctx)
		})
	}
	stops.Wait()
	return errors.Join(errs...)
}

// discardAll is [Task.Discard] for many tasks.
func discardAll(ctx context.Context, p *Project, tasks []*Task) error {
	if len(tasks) == 0 {
		return nil
	}
	err := p.broker.Update(ctx, func(tx *broker.Tx) error {
		for _, t := range tasks {
			if err := ledger.Take(tx, t.tid); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take results: %w", err)
	}
	return nil
}
