//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// stage is a task that takes an item from one queue and puts what script makes of
// it into another.
func stage(script, from, to string) *taskspec.Spec {
	s := shell(script)
	s.IO.Inputs = map[string]string{"inbox": from}
	if to != "" {
		s.IO.Outputs = map[string]string{"outbox": to}
	}
	return s
}

// stages submits n tasks.
func (p *project) stages(n int, script, from, to string) []*weft.Task {
	p.t.Helper()
	tasks, err := p.open().SubmitMany(p.ctx, slices.Repeat([]*taskspec.Spec{stage(script, from, to)}, n))
	if err != nil {
		p.t.Fatal(err)
	}
	return tasks
}

// completed waits until all tasks have.
func (p *project) completed(tasks ...*weft.Task) {
	p.t.Helper()
	g, err := p.open().NewBatch()
	if err != nil {
		p.t.Fatal(err)
	}
	defer g.Close()
	if err := g.Add(p.ctx, tasks...); err != nil {
		p.t.Fatal(err)
	}
	for {
		s, err := g.Next(p.ctx)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if s.Status != taskspec.StatusCompleted {
			p.t.Errorf("task %s: %+v", s.TID, s)
		}
	}
}

// TestPipeline passes items through two queues, three tasks at a time, while the
// managers are killed: each item is worked on once by each stage, in the order in
// which they came.
func TestPipeline(t *testing.T) {
	t.Parallel()
	const items = 60
	p := newProject(t, "WEFT_MAX_TASKS=3")
	c := p.open()
	p.manage()
	transform := p.stages(items, `read i && echo "<$i>"`, "raw.data", "clean.data")
	load := p.stages(items, "cat", "clean.data", "")
	ids := make([]broker.ID, items)
	var want []string
	for i := range items {
		var err error
		if ids[i], err = c.Queue("raw.data").Write(p.ctx, fmt.Sprintln(i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("<%d>\n", i))
		if i%20 == 10 {
			p.kill(p.manager()) // it may be giving out any of them
			p.manage()
		}
	}
	p.completed(append(slices.Clone(transform), load...)...)
	var loaded []string
	for i := range items {
		if got := p.task(transform[i].TID()).Message; got != ids[i] {
			t.Errorf("task %d has worked on %v, want %v", i, got, ids[i])
		}
		res, err := load[i].Result(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		loaded = append(loaded, string(res.Output))
		if res, err = transform[i].Result(p.ctx); err != nil || string(res.Output) != want[i] {
			t.Errorf("task %d shows %q, %v", i, res.Output, err)
		}
		if _, err = transform[i].Result(p.ctx); !errors.Is(err, weft.ErrResultConsumed) {
			t.Errorf("task %d shows its result twice: %v", i, err)
		}
	}
	slices.Sort(loaded) // who of three ends first is not told
	slices.Sort(want)
	if !slices.Equal(loaded, want) {
		t.Errorf("loaded are %q", loaded)
	}
	for _, queue := range []string{"raw.data", "clean.data"} {
		if _, err := c.Queue(queue).Peek(p.ctx); !errors.Is(err, broker.ErrEmpty) {
			t.Errorf("%s: %v", queue, err)
		}
	}
}

// TestWaitingSurvives kills the manager of tasks that wait for a queue: the next
// one listens to it, and stops no task that was there before it.
func TestWaitingSurvives(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1")
	c := p.open()
	p.manage()
	waits := p.stages(2, "cat", "raw.data", "")
	for range 2 {
		p.kill(p.manager())
		p.manage()
	}
	s, err := waits[0].Status(p.ctx)
	if err != nil || s.Status != taskspec.StatusCreated || s.WaitingFor != "raw.data" {
		t.Errorf("it stands at %+v, %v", s, err)
	}
	if _, err := waits[0].Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Queue("raw.data").Write(p.ctx, "item"); err != nil {
		t.Fatal(err)
	}
	res, err := waits[1].Result(p.ctx)
	if err != nil || string(res.Output) != "item" || res.WaitingFor != "" {
		t.Errorf("result is %+v, %v", res, err)
	}
}

// TestInputOfWired: an input of a task whose item comes from a queue is refused,
// an empty one is none.
func TestInputOfWired(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	spec := stage("cat", "raw.data", "")
	if _, err := p.open().SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader("x")}); !errors.Is(err, weft.ErrInputFromQueue) {
		t.Errorf("with an input: %v", err)
	}
	task, err := p.open().SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Stop(p.ctx); err != nil {
		t.Error(err)
	}
}

// manage sees to it that there is a manager with the project's settings.
func (p *project) manage() {
	p.t.Helper()
	p.client(call{Do: "manager"}).line()
}

// TestFunctionWired: an item of a queue is what a function is called with, and one
// that does not fit is kept; a result of a function inside its program goes to the
// queue that its spec names.
func TestFunctionWired(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1")
	p.serving()
	spec := function("add", "a", 40)
	spec.IO.Inputs = map[string]string{"inbox": "raw.data"}
	write := func(body string) {
		if _, err := p.open().Queue("raw.data").Write(p.ctx, body); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := p.run(spec)
	write(`{"kwargs":{"b":2}}`)
	if got := c.answer(); got.Status != taskspec.StatusCompleted || got.Output != "42" {
		t.Errorf("got %+v", got)
	}
	c, tid := p.run(spec)
	write(`{"kwargs":{"b":"two"}}`)
	if got := c.answer(); got.Status != taskspec.StatusFailed {
		t.Errorf("got %+v", got)
	}
	kept, err := p.open().Queue("T" + tid + ".reserved").Peek(p.ctx)
	if err != nil || kept.Body != `{"kwargs":{"b":"two"}}` {
		t.Errorf("kept is %+v, %v", kept, err)
	}
	spec = inline("add", "a", 1, "b", 2)
	spec.IO.Outputs = map[string]string{"outbox": "clean.data"}
	c, _ = p.run(spec)
	if got := c.answer(); got.Status != taskspec.StatusCompleted || got.Output != "3" {
		t.Errorf("got %+v", got)
	}
	if m, err := p.open().Queue("clean.data").Read(p.ctx); err != nil || m.Body != "3" {
		t.Errorf("queue holds %+v, %v", m, err)
	}
}
