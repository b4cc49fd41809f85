package weft

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// RunManyOptions are the choices of [Project.RunMany]. The zero value is the default.
type RunManyOptions struct {
	SubmitOptions // of each task; an input they cannot share

	// Limit is how many tasks may be unfinished at a time; 0 means that all are
	// submitted as they come, and the manager's slots bound what runs.
	Limit int
	// AsCompleted hands out results in the order in which tasks end, instead of
	// that of their specs.
	AsCompleted bool
	// Submitted, if it is not nil, is called with the number of tasks submitted so
	// far, on the goroutine that called RunMany.
	Submitted func(total int)
}

// submitAtOnce is how many tasks one transaction submits, and discardAtOnce how
// many results one consumes: other writers wait some ten milliseconds for it.
const (
	submitAtOnce  = 200
	discardAtOnce = 100
)

// RunMany runs tasks and calls done for each task that has ended, on the calling
// goroutine. If done returns true, the result is safe with the caller, and RunMany
// consumes it. RunMany returns when specs is exhausted and all tasks have ended.
//
// An error of specs ends the submissions; RunMany returns it when the submitted tasks
// have ended. RunMany returns an error of done at once, and the tasks go on; results for
// which done was not called, or failed, are not consumed. If ctx ends, RunMany stops the
// tasks and returns the error of ctx when they have ended.
//
// Specs with the same key are one task, for which done is called once. A task that was
// submitted before, by any process, is treated like the others.
func (p *Project) RunMany(ctx context.Context, specs iter.Seq2[*taskspec.Spec, error], o RunManyOptions, done func(*Task, *TaskStatus) (take bool, err error)) error {
	g, err := p.NewBatch()
	if err != nil {
		return err
	}
	defer g.Close()
	submitting, stop := context.WithCancel(ctx)
	defer stop()
	m := runMany{project: p, o: o, batch: g, done: done, submitter: newSubmitter(p, specs, o.Limit, o.SubmitOptions), ended: make(map[string]*TaskStatus), keyed: make(map[string]bool)}
	go m.submitter.run(submitting)
	err = m.run(ctx)
	stop()
	var late []*Task // that were submitted while it ended
	for tasks := range m.submitter.tasks {
		late = append(late, tasks...)
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), m.stop(context.WithoutCancel(ctx), late))
	}
	return errors.Join(err, m.discard(ctx))
}

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
	for submitted := m.submitter.tasks; ; {
		if err := m.collect(ctx); err != nil {
			return err
		}
		if submitted == nil && m.batch.Len() == 0 {
			return m.submitter.err
		}
		// It takes results before it waits, so that the status is current meanwhile.
		if err := m.discard(ctx); err != nil {
			return err
		}
		tasks, more, err := m.wait(ctx, submitted)
		if err != nil {
			return err
		}
		if !more {
			submitted = nil
		}
		if err := m.add(ctx, tasks); err != nil {
			return err
		}
	}
}

// wait waits for tasks that have been submitted, or for a reason to look. more
// is false when no more will be submitted.
func (m *runMany) wait(ctx context.Context, submitted <-chan []*Task) (tasks []*Task, more bool, err error) {
	if m.batch.Len() > 0 && m.batch.watch.due() {
		return nil, submitted != nil, m.batch.poll(ctx)
	}
	timer := time.NewTimer(managerPoll)
	defer timer.Stop()
	select {
	case tasks, more = <-submitted:
		return tasks, more, nil
	case <-m.batch.waiter.C():
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return nil, submitted != nil, err
}

// add begins to wait for tasks.
func (m *runMany) add(ctx context.Context, tasks []*Task) error {
	tasks = slices.DeleteFunc(tasks, m.again)
	if len(tasks) == 0 {
		return nil
	}
	if !m.o.AsCompleted {
		m.order = append(m.order, tasks...)
	}
	if m.total += len(tasks); m.o.Submitted != nil {
		m.o.Submitted(m.total)
	}
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
		m.submitter.release()
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
	slots := make(chan struct{}, 32) // each holds a waiter
	errs := make([]error, len(late))
	var stops sync.WaitGroup
	for i, t := range late {
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

// A submitter submits the tasks of [Project.RunMany], many at once where they come
// fast, while their reader may have to wait for the next.
type submitter struct {
	project *Project
	specs   iter.Seq2[*taskspec.Spec, error]
	opts    SubmitOptions
	slots   chan struct{} // one for each task that may be unfinished; nil: no limit

	tasks chan []*Task // closed at the end
	err   error        // why it ended early; to be read after tasks is closed
}

func newSubmitter(p *Project, specs iter.Seq2[*taskspec.Spec, error], limit int, opts SubmitOptions) *submitter {
	s := &submitter{project: p, specs: specs, opts: opts, tasks: make(chan []*Task, 1)}
	if limit > 0 {
		s.slots = make(chan struct{}, limit)
	}
	return s
}

// release lets one more task be submitted, after one has ended.
func (s *submitter) release() {
	if s.slots != nil {
		<-s.slots
	}
}

// run submits until there is no spec any more, or one is bad, or ctx ends.
func (s *submitter) run(ctx context.Context) {
	defer close(s.tasks)
	read := make(chan *taskspec.Spec, submitAtOnce)
	failed := make(chan error, 1)
	go func() { // it may wait for its input for ever, and is then left behind
		defer close(read)
		for spec, err := range s.specs {
			if err != nil {
				failed <- err
				return
			}
			select {
			case read <- spec:
			case <-ctx.Done():
				return
			}
		}
	}()
	for ctx.Err() == nil {
		specs := s.next(ctx, read)
		if len(specs) == 0 {
			break
		}
		tasks, err := s.project.SubmitMany(ctx, specs, s.opts)
		if len(tasks) > 0 {
			s.tasks <- tasks
		}
		if err != nil {
			s.err = err
			return
		}
	}
	select {
	case s.err = <-failed:
	default:
	}
}

// next waits for a spec, and returns it with those that are there already.
func (s *submitter) next(ctx context.Context, read <-chan *taskspec.Spec) (specs []*taskspec.Spec) {
	for len(specs) < submitAtOnce {
		if !s.reserve(ctx, len(specs) == 0) {
			return specs
		}
		spec, ok := receive(ctx, read, len(specs) == 0)
		if !ok {
			s.release()
			return specs
		}
		specs = append(specs, spec)
	}
	return specs
}

// reserve takes a slot for a task; it waits for one only if asked to.
func (s *submitter) reserve(ctx context.Context, wait bool) bool {
	if s.slots == nil {
		return true
	}
	if !wait {
		select {
		case s.slots <- struct{}{}:
			return true
		default:
			return false
		}
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// receive takes the next spec; it waits for one only if asked to.
func receive(ctx context.Context, read <-chan *taskspec.Spec, wait bool) (spec *taskspec.Spec, ok bool) {
	if !wait {
		select {
		case spec, ok = <-read:
			return spec, ok
		default:
			return nil, false
		}
	}
	select {
	case spec, ok = <-read:
		return spec, ok
	case <-ctx.Done():
		return nil, false
	}
}
