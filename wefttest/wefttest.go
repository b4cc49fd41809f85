// Package wefttest gives the tests of programs that use Weft a project of their own.
//
// Commands, and functions that a test registers, are executed by processes of the test
// program itself, so that its TestMain must be a call of [Main]:
//
//	func TestMain(m *testing.M) {
//		weft.Register("double", double)
//		wefttest.Main(m)
//	}
//
//	func TestDouble(t *testing.T) {
//		p := wefttest.New(t)
//		if res := p.Complete(wefttest.Inline("double", 21)); string(res.Output) != "42" {
//			t.Errorf("got %s", res.Output)
//		}
//	}
//
// When the test ends, the project is stopped and removed, and the test fails if it has
// left a task that has not ended, or a process.
package wefttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"weft"
	"weft/monitor"
	"weft/taskspec"
)

// limit is how long a test may wait for anything, if its own deadline is not sooner. A
// wait that takes longer hangs.
const limit = time.Minute

// Main runs the tests of a package. It calls [weft.Init], and keeps what Weft remembers
// of projects out of the user's home folder. Call [weft.Register] before it.
func Main(m *testing.M) {
	weft.Init()
	state, err := os.MkdirTemp("", "wefttest-")
	if err == nil {
		defer os.RemoveAll(state)
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		panic(fmt.Sprintf("wefttest: keep the state of projects: %v", err))
	}
	m.Run()
}

// A Project is a project for one test, in a temporary folder. The test's process serves
// it, so functions with isolation "inline" are goroutines of the test. Errors of its own
// methods end the test; those of [weft.Project] do not.
type Project struct {
	*weft.Project
	t   testing.TB
	ctx context.Context
}

// New returns a project that is ready for tasks. Of the options the last count; by
// default the project has durability "normal".
func New(t testing.TB, opts ...weft.Options) *Project {
	t.Helper()
	o := weft.Options{Durability: "normal"}
	if len(opts) > 0 {
		o = opts[len(opts)-1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	p := &Project{t: t, ctx: ctx}
	var err error
	if p.Project, err = weft.Open(t.TempDir(), o); err != nil {
		t.Fatalf("wefttest: %v", err)
	}
	ready, stop, served := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		served <- p.Serve(context.Background(), weft.ServeOptions{Stop: stop, Ready: func() {
			select {
			case ready <- struct{}{}:
			default: // it is known already
			}
		}})
	}()
	select {
	case <-ready:
	case err := <-served:
		t.Fatalf("wefttest: %v", err)
	}
	t.Cleanup(func() { p.end(stop, served) })
	return p
}

// Context ends when the test has waited too long, a minute after it began.
func (p *Project) Context() context.Context { return p.ctx }

// Inline is [weft.Function] for a function that is called inside the process of the test,
// as a goroutine.
func Inline(name string, args ...any) *taskspec.Spec {
	spec := weft.Function(name, args...)
	spec.Isolation = taskspec.IsolationInline
	return spec
}

// Complete runs a task and returns its result, which is consumed. The test ends if the
// task does not complete.
func (p *Project) Complete(spec *taskspec.Spec, opts ...weft.SubmitOptions) *weft.Result {
	p.t.Helper()
	res, err := p.RunContext(p.ctx, spec, opts...)
	if err != nil {
		p.t.Fatalf("wefttest: %v", err)
	}
	return res
}

// Start submits a task and returns it. See [Project.Wait] for its end.
func (p *Project) Start(spec *taskspec.Spec, opts ...weft.SubmitOptions) *weft.Task {
	p.t.Helper()
	task, err := p.SubmitContext(p.ctx, spec, opts...)
	if err != nil {
		p.t.Fatalf("wefttest: %v", err)
	}
	return task
}

// Wait waits until the task has ended, and returns how.
func (p *Project) Wait(task *weft.Task) *weft.TaskStatus {
	p.t.Helper()
	s, err := task.Wait(p.ctx)
	if err != nil {
		p.t.Fatalf("wefttest: %v", err)
	}
	return s
}

// WaitFor waits until the task has the status, and returns how it stands. The test ends
// if the task ends with another.
func (p *Project) WaitFor(task *weft.Task, status taskspec.Status) *weft.TaskStatus {
	p.t.Helper()
	for _, err := range task.Events(p.ctx, true) {
		if err != nil {
			p.t.Fatalf("wefttest: %v", err)
		}
		s, err := task.Status(p.ctx)
		if err != nil {
			p.t.Fatalf("wefttest: %v", err)
		}
		if s.Status == status {
			return s
		}
	}
	p.t.Fatalf("wefttest: task %s has ended and was not seen %s", task.TID(), status)
	return nil
}

// end stops the project, and says what the test has left.
func (p *Project) end(stop chan<- struct{}, served <-chan error) {
	ctx := context.Background()
	for s, err := range p.Tasks(ctx, weft.TaskFilter{Statuses: taskspec.Unfinished()}) {
		if err != nil {
			p.t.Errorf("wefttest: %v", err)
			break
		}
		p.t.Errorf("wefttest: task %s (%s) is still %s: wait for it, or stop it", s.TID, s.Name, s.Status)
	}
	close(stop)
	if err := <-served; err != nil {
		p.t.Errorf("wefttest: %v", err)
	}
	root := p.Root()
	if err := p.Close(); err != nil {
		p.t.Errorf("wefttest: %v", err)
	}
	// Those that have kept their environment; where Weft cannot look for any, there are none.
	left, err := monitor.Tree{Cookie: []string{"WEFT_CONTEXT=" + root}}.Members()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		p.t.Errorf("wefttest: %v", err)
	}
	for _, process := range left {
		p.t.Errorf("wefttest: process %d of a task is left", process.PID)
	}
}
