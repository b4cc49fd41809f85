//go:build linux

package weft_test

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// inline is the spec of a task that calls a function inside its program.
func inline(name string, kwargs ...any) *taskspec.Spec {
	spec := function(name, kwargs...)
	spec.Isolation = taskspec.IsolationInline
	return spec
}

// serving starts a program that serves the project, beside others if there are.
func (p *project) serving() *client {
	p.t.Helper()
	c := p.user()
	c.call(call{Do: "stand by"})
	return c
}

// TestInlineEnds takes functions that run inside their program to every end that
// they can have there, and the program goes on.
func TestInlineEnds(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	p.serving()
	u := p.user()
	within := func(d time.Duration) func(*taskspec.Work) {
		return func(w *taskspec.Work) { w.Timeout, w.StopGrace = d, new(200*time.Millisecond) }
	}
	for _, test := range []struct {
		how     string
		change  func(*taskspec.Work)
		status  taskspec.Status
		code    int
		error   string // it begins so
		details string // they contain this
		output  string
	}{
		{how: "error", status: "failed", code: 1, error: `no image\nat all`, details: "no image\nat all"},
		{how: "panic", status: "failed", code: 1, error: "panic: boom", details: "tests_test.endSomehow("},
		{how: "goexit", status: "failed", code: 1, error: "function ended its goroutine without returning"},
		{how: "block", change: within(300 * time.Millisecond), status: "timeout", code: 124, error: "timed out after 300ms"},
		{how: "obey", change: within(300 * time.Millisecond), status: "timeout", code: 124, error: "timed out after 300ms"},
		{how: "chan", status: "failed", code: 1, error: "function returned a value that cannot be written as JSON: json: unsupported type: chan int"},
		{how: "progress", status: "completed", output: "null"},
		{how: "large", status: "completed", output: `"` + strings.Repeat("x", 12<<20) + `"`},
	} {
		spec := inline("end", "How", test.how)
		if test.change != nil {
			test.change(&spec.Work)
		}
		u.call(call{Do: "run", Spec: spec})
		tid := u.accepted()
		got := u.line()
		task := p.task(tid)
		if got.Status != test.status || got.Code == nil || *got.Code != test.code ||
			!strings.HasPrefix(got.Reason, test.error) || (test.error == "") != (got.Reason == "") || !strings.Contains(task.Details, test.details) {
			t.Errorf("%s: got %s, %v, %q, details %q", test.how, got.Status, got.Code, got.Reason, task.Details)
		}
		if got.Output != test.output {
			t.Errorf("%s: output has %d bytes, want %d: %.100q", test.how, len(got.Output), len(test.output), got.Output)
		}
		if test.how == "progress" && (task.Progress == nil || task.Progress.Done != 1000) {
			t.Errorf("progress is %+v", task.Progress)
		}
	}
	u.call(call{Do: "run", Spec: inline("add", "a", 1, "b", 2)})
	u.accepted()
	if got := u.line(); got.Output != "3" {
		t.Errorf("afterwards the host answers %+v", got)
	}
}

// TestInlineHostDies kills one of two programs that serve while a function runs
// inside it: the task is lost, whichever of them was the manager, and the other
// program does what comes.
func TestInlineHostDies(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	p.serving()
	p.serving()
	for _, gone := range []string{"first", "second"} {
		tell, proceed := p.fifo("tell "+gone), p.fifo("proceed "+gone)
		c, tid := p.run(inline("blocked", "Tell", tell.Path, "Proceed", proceed.Path, "Token", "never"))
		tell.Read()
		p.kill(p.task(tid).Consumer)
		if got := c.answer(); got.Status != taskspec.StatusFailed || got.Reason != "lost: consumer process died" || got.Code != nil {
			t.Errorf("its host died: %+v", got)
		}
		if gone == "first" {
			c, _ := p.run(inline("add", "a", 1))
			if got := c.answer(); got.Output != "1" {
				t.Errorf("the other host answers %+v", got)
			}
		}
	}
}

// TestInterrupted ends a program that serves, in good order, while functions run inside it:
// those without a retry policy have failed, the others are called again by the next one, and
// the attempt does not count.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	server := p.user()
	server.call(call{Do: "drain"})
	tell := p.fifo("tell")
	once := inline("end", "How", "obey", "Tell", tell.Path)
	again := inline("end", "How", "obey", "Tell", tell.Path)
	again.Retry = &taskspec.RetryPolicy{MaxAttempts: new(1)}
	_, first := p.run(once)
	tell.Read()
	_, second := p.run(again)
	tell.Read()
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := p.awaitEnd(first); got.Status != taskspec.StatusFailed || got.Error != "interrupted: the program that ran it ended" || got.ReturnCode != nil {
		t.Errorf("without retry: %s, %q, %v", got.Status, got.Error, got.ReturnCode)
	}
	server.calls.Close()
	if err := server.wait(); err != nil {
		t.Fatalf("the server: %v\n%s", err, server.erred.String())
	}
	if got := p.task(second); got.Status != taskspec.StatusCreated {
		t.Errorf("with retry: %s, %q", got.Status, got.Error)
	}
	p.serving()
	tell.Read()
	if got := p.task(second); got.Epoch != 2 || got.Epoch-got.Base != 1 {
		t.Errorf("called again: epoch %d, attempt %d; want 2, 1", got.Epoch, got.Epoch-got.Base)
	}
	p.client(call{Do: "stop", TID: second}).answer()
	if got := p.awaitEnd(second); got.Status != taskspec.StatusCancelled {
		t.Errorf("stopped by a user: %s, %q", got.Status, got.Error)
	}
}

// TestDrain ends a program that serves, and has time for its running tasks: they complete,
// inside it and in processes, and it starts no other.
func TestDrain(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	server := p.user()
	server.call(call{Do: "drain", Drain: time.Hour})
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	inside, _ := p.run(inline("blocked", "Tell", tell.Path, "Proceed", proceed.Path, "Token", "inside"))
	tell.Read()
	command, _ := p.run(blocked(tell, proceed, "command"))
	tell.Read()
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := server.line(); got.Reason != "told to end" {
		t.Fatalf("got %+v", got)
	}
	proceed.Open(2)
	if got := inside.answer(); got.Output != `"inside"` {
		t.Errorf("inside: %+v", got)
	}
	if got := command.answer(); got.Output != "command\n" {
		t.Errorf("command: %+v", got)
	}
	server.calls.Close()
	if err := server.wait(); err != nil {
		t.Fatalf("the server: %v\n%s", err, server.erred.String())
	}
}

// TestInlineWaits submits a task while no program serves: it waits, can be stopped,
// and runs when one does. So does one that was written by hand, and one that
// is run again.
func TestInlineWaits(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	stopped, tid := p.run(inline("add", "a", 1))
	p.client(call{Do: "stop", TID: tid}).answer()
	if got := stopped.answer(); got.Status != taskspec.StatusCancelled {
		t.Errorf("stopped while it waited: %+v", got)
	}
	waiting, tid := p.run(inline("add", "a", 4, "b", 5))
	body, err := json.Marshal(inline("add", "a", 6))
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.open().Queue(ledger.Requests).Write(p.ctx, string(body))
	if err != nil {
		t.Fatal(err)
	}
	// The manager has passed it on when it is in the queue of its program.
	p.await("the request that was written by hand", func(e ledger.Event) bool { return e.TID == id.String() })
	if got := p.task(tid).Status; got != taskspec.StatusCreated {
		t.Errorf("nobody serves, and the task is %s", got)
	}
	server := p.serving()
	if got := waiting.answer(); got.Output != "9" {
		t.Errorf("the task that waited: %+v", got)
	}
	if task := p.awaitEnd(id.String()); task.Status != taskspec.StatusCompleted {
		t.Errorf("the request that was written by hand: %s %s", task.Status, task.Error)
	}
	task, err := p.open().Task(p.ctx, tid)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Retry(p.ctx); err != nil {
		t.Fatal(err)
	}
	if res, err := task.Result(p.ctx); err != nil || string(res.Output) != "9" || res.Attempt != 2 {
		t.Errorf("run again: %+v, %v", res, err)
	}

	// A server that is told to stop stops what runs inside it.
	tell := p.fifo("tell")
	c, _ := p.run(inline("end", "How", "obey", "Tell", tell.Path))
	tell.Read()
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := c.answer(); got.Status != taskspec.StatusCancelled || got.Reason != "stopped" {
		t.Errorf("its host was stopped: %+v", got)
	}
	if err := errors.Join(server.calls.Close(), server.wait()); err != nil {
		t.Errorf("the host: %v", err)
	}
}

// TestInlineFromInside lets a program call functions that it serves itself, so that
// asking for the task and beginning it are one step: nobody can see a difference.
func TestInlineFromInside(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	keyed := inline("add", "a", 1, "b", 2)
	keyed.Key = "k"
	// It cannot tell.
	fails, again := inline("blocked", "Tell", "/", "Proceed", "", "Token", ""), inline("blocked", "Tell", "/", "Proceed", "", "Token", "")
	again.Retry = &taskspec.RetryPolicy{MaxAttempts: new(2), Backoff: new(10 * time.Millisecond)}
	var last []*ledger.Task
	parent := function("parent")
	parent.Args, parent.Isolation = []any{7}, taskspec.IsolationInline
	for _, test := range []struct {
		spec   *taskspec.Spec
		output string
		end    string
	}{
		{keyed, "3", "work_completed"},
		{fails, "", "work_failed"},
		{parent, `"7"`, "work_completed"}, // the child needs the only slot
		{again, "", "work_failed task_retried task_spawning work_started work_failed"},
	} {
		c := p.client(call{Do: "run inside", Spec: test.spec})
		tid := ""
		for l, err := c.next(); err == nil; l, err = c.next() {
			tid = l.TID
			if want := "task_initialized task_spawning work_started " + test.end; l.Output != test.output || l.Reason != want {
				t.Errorf("got %+v, want output %q and history %s", l, test.output, want)
			}
		}
		if err := c.wait(); err != nil {
			t.Errorf("client: %v\n%s", err, c.erred.String())
		}
		task := p.task(tid)
		attempts := 1 + strings.Count(test.end, "task_retried")
		if task.Inline != test.spec.FunctionTarget || task.Message == 0 || task.Epoch != attempts || task.Seq != 1 || task.Consumer.PID == 0 {
			t.Errorf("record is %+v", task)
		}
		// Its result was handed over, or taken from where it lay; its work item, which
		// says nothing, is kept by the policy of what has failed only.
		q := ledger.QueuesOf(tid)
		kept, err := p.open().Queue(q.Reserved).Peek(p.ctx)
		want := broker.Message{ID: task.Message, Queue: q.Reserved, Body: "{}"}
		if task.Status == taskspec.StatusCompleted {
			want = broker.Message{}
		}
		if kept != want || err != nil && !errors.Is(err, broker.ErrEmpty) {
			t.Errorf("%s is left with the work item %+v, %v, want %+v", task.Status, kept, err, want)
		}
		if left := p.held()[q.Outbox]; len(left) > 0 || task.Result == 0 {
			t.Errorf("its result is %v, and in its outbox is %v", task.Result, left)
		}
		last = append(last, task)
	}
	// The key is held, and a work item is kept, as ever.
	keyed.Key = last[0].Key
	if task, err := p.open().SubmitContext(p.ctx, keyed); err != nil || task.TID() != last[0].TID {
		t.Errorf("submitted again with the key: %v, %v", task, err)
	}
	failed, err := p.open().Task(p.ctx, last[1].TID)
	if err != nil {
		t.Fatal(err)
	}
	if err := failed.Retry(p.ctx); err != nil {
		t.Errorf("run again: %v", err)
	}
	if _, err := failed.Stop(p.ctx); err != nil {
		t.Error(err)
	}
}

// TestInlineRefused asks for what a function inside its program cannot have.
func TestInlineRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	spec := weft.Command("true")
	spec.Isolation = taskspec.IsolationInline
	if _, err := p.open().SubmitContext(p.ctx, spec); err == nil || !strings.Contains(err.Error(), `spec.type: does not go with isolation "inline"`) {
		t.Errorf("a command inside a host: %v", err)
	}
}
