package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"weft/broker"
	"weft/taskspec"
)

// A read is what specs has yielded at a place.
type read struct {
	place int
	spec  *taskspec.Spec
	err   error
}

// A submitted set is what has become of some of what was read.
type submitted struct {
	tasks   []*Task
	refused []read // with their errors
}

// A submitter submits the tasks of [Project.RunMany], many at once where they come
// fast, while their reader may have to wait for the next.
type submitter struct {
	project *Project
	specs   iter.Seq2[*taskspec.Spec, error]
	o       RunManyOptions
	slots   chan struct{} // one for each task that may be unfinished

	sets chan submitted // closed at the end
	err  error          // why it ended early; to be read after sets is closed
}

func newSubmitter(p *Project, specs iter.Seq2[*taskspec.Spec, error], o RunManyOptions) *submitter {
	return &submitter{project: p, specs: specs, o: o, sets: make(chan submitted, 1), slots: make(chan struct{}, o.ReadAhead)}
}

// release lets one more task be submitted, after one has ended.
func (s *submitter) release() { <-s.slots }

// run submits until there is no spec any more, or one is bad, or a context ends: reading,
// after which it reads no more, or ctx.
func (s *submitter) run(reading, ctx context.Context) {
	defer close(s.sets)
	all := make(chan read, submitAtOnce)
	go func() { // it may wait for its input for ever, and is then left behind
		defer close(all)
		place := 0
		for spec, err := range s.specs {
			if place++; spec == nil && err == nil {
				continue
			}
			select {
			case all <- read{place, spec, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && s.o.Refused == nil || reading.Err() != nil {
				return
			}
		}
	}()
	for ctx.Err() == nil {
		some := s.next(reading, all)
		if len(some) == 0 {
			break
		}
		var set submitted
		set, s.err = s.submit(ctx, some)
		if len(set.tasks)+len(set.refused) > 0 {
			s.sets <- set
		}
		if s.err != nil {
			return
		}
	}
}

// submit submits some of the specs in one transaction; one by one if one of them cannot be
// submitted, so that the others are.
func (s *submitter) submit(ctx context.Context, some []read) (set submitted, err error) {
	var good []read
	for _, r := range some {
		if r.err == nil {
			r.err = s.check(r.spec)
		}
		if r.err == nil {
			good = append(good, r)
			continue
		}
		if s.release(); s.o.Refused == nil {
			set.tasks, err = s.submitAll(ctx, good)
			return set, errors.Join(err, r.err)
		}
		set.refused = append(set.refused, r)
	}
	set.tasks, err = s.submitAll(ctx, good)
	if err == nil || s.o.Refused == nil || len(set.tasks) > 0 || !isOfSpec(err) {
		return set, err
	}
	for i := range good {
		task, err := s.submitAll(ctx, good[i:i+1])
		switch {
		case err == nil:
			set.tasks = append(set.tasks, task...)
		case len(task) > 0 || !isOfSpec(err):
			return set, err
		default:
			s.release()
			good[i].err = err
			set.refused = append(set.refused, good[i])
		}
	}
	slices.SortFunc(set.refused, func(a, b read) int { return cmp.Compare(a.place, b.place) })
	return set, nil
}

// check refuses what does not go with a limit of the batch.
func (s *submitter) check(spec *taskspec.Spec) error {
	switch {
	case s.o.Limit == 0:
	case spec.Concurrency != nil:
		return fmt.Errorf("spec.concurrency: does not go with a limit of its batch")
	case spec.IO.Inputs["inbox"] != "" && !spec.Persistent:
		return fmt.Errorf("io.inputs.inbox: does not go with a limit of its batch")
	}
	return nil
}

// submitAll submits what was read as tasks of the batch.
func (s *submitter) submitAll(ctx context.Context, some []read) ([]*Task, error) {
	if len(some) == 0 {
		return nil, nil
	}
	specs := make([]*taskspec.Spec, len(some))
	for i, r := range some {
		specs[i] = r.spec
	}
	all, err := prepare(ctx, s.project, specs, s.o.SubmitOptions)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Batch, all[i].Line, all[i].Limit = s.o.Batch, some[i].place, s.o.Limit
	}
	accepted, err := submitOnce(ctx, s.project, all)
	if err != nil {
		return nil, fmt.Errorf("submit tasks: %w", err)
	}
	return accepted.attendOrWithdraw(ctx)
}

// isOfSpec reports whether a submission failed because of what was submitted.
func isOfSpec(err error) bool {
	_, invalid := errors.AsType[*taskspec.ValidationError](err)
	_, argument := errors.AsType[*ArgumentError](err)
	return invalid || argument || errors.Is(err, ErrKeyHeld) || errors.Is(err, ErrNoFunction) || errors.Is(err, broker.ErrTooLarge)
}

// next waits for a spec, and returns it with those that are there already. When reading has
// ended it returns only these.
func (s *submitter) next(reading context.Context, all <-chan read) (some []read) {
	for len(some) < submitAtOnce {
		if !s.reserve(reading, len(some) == 0) {
			return some
		}
		r, ok := receive(reading, all, len(some) == 0)
		if !ok {
			s.release()
			return some
		}
		some = append(some, r)
	}
	return some
}

// reserve takes a slot for a task; it waits for one only if asked to. When reading has ended
// it needs none: what has been read is submitted.
func (s *submitter) reserve(reading context.Context, wait bool) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	if !wait {
		return reading.Err() != nil
	}
	select {
	case s.slots <- struct{}{}:
	case <-reading.Done():
	}
	return true
}

// receive takes the next of what was read; it waits for it only if asked to.
func receive(reading context.Context, all <-chan read, wait bool) (r read, ok bool) {
	select {
	case r, ok = <-all:
		return r, ok
	default:
	}
	if !wait {
		return r, false
	}
	select {
	case r, ok = <-all:
		return r, ok
	case <-reading.Done():
		return r, false
	}
}
