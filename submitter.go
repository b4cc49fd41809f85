package weft

import (
	"context"
	"iter"

	"weft/taskspec"
)

// A submitter submits the tasks of [Project.RunMany], many at once where they come
// fast, while their reader may have to wait for the next.
type submitter struct {
	project *Project
	specs   iter.Seq2[*taskspec.Spec, error]
	opts    []SubmitOption
	slots   chan struct{} // one for each task that may be unfinished; nil: no limit

	tasks chan []*Task // closed at the end
	err   error        // why it ended early; to be read after tasks is closed
}

func newSubmitter(p *Project, specs iter.Seq2[*taskspec.Spec, error], limit int, opts []SubmitOption) *submitter {
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
		tasks, err := s.project.SubmitMany(ctx, specs, s.opts...)
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
