//go:build linux

package weft_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// function is the spec of a task that calls a function with named arguments, in
// pairs.
func function(name string, kwargs ...any) *taskspec.Spec {
	spec := weft.Function(name)
	spec.KeywordArgs = make(map[string]any)
	for i := 0; i < len(kwargs); i += 2 {
		spec.KeywordArgs[kwargs[i].(string)] = kwargs[i+1]
	}
	return spec
}

// TestFunctionEnds takes functions to every end that they can have: the task
// tells the truth about each, and program and manager go on.
func TestFunctionEnds(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	u := p.user()
	for _, test := range []struct {
		how     string
		change  func(*taskspec.Work)
		status  taskspec.Status
		code    int
		signal  string
		error   string // it begins so
		details string // they contain this
		output  string
		stderr  string // it contains this
	}{
		{how: "value", change: func(w *taskspec.Work) { w.Env, w.WorkingDir = map[string]string{"X": "1"}, "/" },
			status: "completed", output: `{"dir":"/","tid":"TID","x":"1"}`, stderr: "printed\n"},
		{how: "error", status: "failed", code: 1, error: `no image\nat all`, details: "no image\nat all"},
		{how: "panic", status: "failed", code: 1, error: "panic: boom", details: "tests_test.endSomehow("},
		{how: "panic elsewhere", status: "failed", code: 2, error: "function exited with 2 without returning: panic: boom", details: "goroutine ", stderr: "panic: boom\n"},
		{how: "goexit", status: "failed", code: 1, error: "function ended its goroutine without returning"},
		{how: "exit", status: "failed", code: 3, error: "function exited with 3 without returning: printed"},
		{how: "exit 0", status: "failed", code: 1, error: "function exited with 0 without returning: printed"},
		{how: "signal", status: "failed", code: 137, signal: "SIGKILL", error: "function was killed by SIGKILL"},
		{how: "memory", change: func(w *taskspec.Work) { w.Limits.MemoryMB, w.PollingInterval = new(200.0), 50*time.Millisecond },
			status: "killed", code: 137, error: "memory "},
		{how: "block", change: func(w *taskspec.Work) { w.Timeout, w.StopGrace = 300*time.Millisecond, new(200*time.Millisecond) }, status: "timeout", code: 124, error: "timed out after 300ms"},
		{how: "obey", change: func(w *taskspec.Work) { w.StopGrace = new(waittest.Limit()) },
			status: "timeout", code: 124, error: "timed out after ", stderr: "s: context deadline exceeded\n"},
		{how: "leak", status: "completed", output: `"left"`},
		{how: "chan", status: "failed", code: 1, error: "function returned a value that cannot be written as JSON: json: unsupported type: chan int"},
		{how: "nan", status: "failed", code: 1, error: "function returned a value that cannot be written as JSON: json: unsupported value: NaN"},
		{how: "progress", status: "completed", output: "null"},
		{how: "large", status: "completed", output: `"` + strings.Repeat("x", 12<<20) + `"`},
	} {
		spec := function("end", "How", test.how)
		if test.change != nil {
			test.change(&spec.Work)
		}
		var tid string
		var got line
		var task *ledger.Task
		waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
			if test.how == "obey" {
				spec.Timeout = timeout
			}
			u.call(call{Do: "run", Spec: spec})
			tid = u.accepted()
			got, task = u.line(), p.task(tid)
			return test.how != "obey" || strings.HasPrefix(string(task.Output.Stderr), "printed\n") // it had begun
		})
		if got.Status != test.status || got.Code == nil || *got.Code != test.code || task.Signal != test.signal ||
			!strings.HasPrefix(got.Reason, test.error) || (test.error == "") != (got.Reason == "") {
			t.Errorf("%s: got %s, %v, %q, %q", test.how, got.Status, got.Code, task.Signal, got.Reason)
		}
		if want := strings.ReplaceAll(test.output, "TID", tid); got.Output != want {
			t.Errorf("%s: output has %d bytes, want %d: %.100q", test.how, len(got.Output), len(want), got.Output)
		}
		if !strings.Contains(task.Details, test.details) || !strings.Contains(string(task.Output.Stderr), test.stderr) {
			t.Errorf("%s: details %q, stderr %q", test.how, task.Details, task.Output.Stderr)
		}
		if strings.Contains(string(task.Output.Stderr), "DATA RACE") {
			t.Errorf("%s: %s", test.how, task.Output.Stderr)
		}
		if test.how == "progress" && (task.Progress == nil || task.Progress.Done != 1000 || task.Progress.Note != "stones") {
			t.Errorf("progress is %+v", task.Progress)
		}
	}
	if n := p.managers(); n != 1 {
		t.Errorf("%d managers have led, want 1", n)
	}
}

// TestFunctionEnded stops and kills functions that heed their context and those that do
// not, in processes of their own and inside the program that serves them.
func TestFunctionEnded(t *testing.T) {
	t.Parallel()
	for isolation, spec := range map[string]func(name string, args ...any) *taskspec.Spec{
		taskspec.IsolationProcess: function, taskspec.IsolationInline: inline,
	} {
		for _, test := range []struct {
			do, how string
			status  taskspec.Status
			code    int
		}{
			{"stop", "obey", taskspec.StatusCancelled, 143},
			{"stop", "block", taskspec.StatusCancelled, 143},
			{"kill", "block", taskspec.StatusKilled, 137},
		} {
			t.Run(isolation+" "+test.do+" "+test.how, func(t *testing.T) {
				t.Parallel()
				p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
				if isolation == taskspec.IsolationInline {
					p.serving()
				}
				tell := p.fifo("tell")
				spec := spec("end", "How", test.how, "Tell", tell.Path)
				spec.StopGrace = new(300 * time.Millisecond)
				if test.how == "obey" {
					spec.StopGrace = new(waittest.Limit())
				}
				c, tid := p.run(spec)
				tell.Read()
				p.client(call{Do: test.do, TID: tid}).answer()
				got := c.answer()
				if got.Status != test.status || got.Code == nil || *got.Code != test.code || got.Output != "" {
					t.Errorf("got %+v", got)
				}
				stderr := string(p.task(tid).Output.Stderr)
				if isolation == taskspec.IsolationProcess && test.how == "obey" && stderr != "printed\nstopped\n" {
					t.Errorf("it was told %q", stderr)
				}
			})
		}
	}
}

// TestNothing asks for nothing at all.
func TestNothing(t *testing.T) {
	t.Parallel()
	if _, err := newProject(t).open().SubmitContext(t.Context(), nil); err == nil || err.Error() != "submit task: there is no spec" {
		t.Errorf("submit nil: %v", err)
	}
	defer func() {
		if said := recover(); said != "weft: function nothing is nil" {
			t.Errorf("register nil: %v", said)
		}
	}()
	weft.RegisterArgs("nothing", nil)
}

// TestFunctionRefused submits calls that cannot be: nothing is queued. One that
// was queued by hand fails with the reason.
func TestFunctionRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	p.client(call{Do: "manager"}).answer() // a client, which has functions
	for _, test := range []struct {
		spec  *taskspec.Spec
		error string
	}{
		{function("ad", "a", 1), "submit task: no such function: ad; did you mean add?"},
		{function("subtract"), "submit task: no such function: subtract: no program that registers it has opened this project yet"},
		{function("add"), `submit task: function add: "a": missing`},
		{function("add", "a", "one"), `submit task: function add: "a": got string, want integer`},
		{function("add", "a", 1, "c", 1), `submit task: function add: "c": unknown argument; there are a, b`},
		{weft.Function("add", 1, 2), "submit task: function add: it takes one argument, or named ones; got 2"},
	} {
		if _, err := p.open().SubmitContext(p.ctx, test.spec); err == nil || err.Error() != test.error {
			t.Errorf("got %v, want %s", err, test.error)
		}
	}
	if tasks := p.tasks(); len(tasks) != 0 {
		t.Errorf("%d tasks were queued", len(tasks))
	}
	for spec, reason := range map[*taskspec.Spec]string{
		function("subtract"):       "function subtract is not known here: ",
		function("add", "a", "on"): `function add: "a": got string, want int`,
	} {
		body, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		id, err := p.open().Queue(ledger.Requests).Write(p.ctx, string(body))
		if err != nil {
			t.Fatal(err)
		}
		if task := p.awaitEnd(id.String()); task.Status != taskspec.StatusFailed || task.ReturnCode != nil || !strings.HasPrefix(task.Error, reason) {
			t.Errorf("got %s, %v, %q", task.Status, task.ReturnCode, task.Error)
		}
	}
}

// TestFunctionLost kills the consumer of a function, while it has a manager and
// while it is alone: the worker ends with it.
func TestFunctionLost(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprint("alone=", alone), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
			tell, proceed := p.fifo("tell"), p.fifo("proceed")
			c, tid := p.run(function("blocked", "Tell", tell.Path, "Proceed", proceed.Path, "Token", "never"))
			tell.Read()
			if alone {
				p.kill(p.manager())
			}
			p.kill(p.task(tid).Consumer)
			if got := c.answer(); got.Status != taskspec.StatusFailed || got.Reason != "lost: consumer process died" || got.Code != nil {
				t.Errorf("got %+v", got)
			}
			for id, title := range p.processes() {
				if strings.Contains(title, ":function") {
					if id.Wait(p.ctx) != nil {
						t.Errorf("process %d is left: %s", id.PID, title)
					}
				}
			}
		})
	}
}

// TestFunctionOutlives kills a service, which is program and manager in one, while
// its functions run: they end, and the next service sees their values.
func TestFunctionOutlives(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	p.open()
	service := p.user()
	service.call(call{Do: "serve"})
	p.awaitManager(1)
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	tids := make(map[string]string)
	u := p.user()
	for i := range 3 {
		token := fmt.Sprint("token ", i)
		u.call(call{Do: "submit", Spec: function("blocked", "Tell", tell.Path, "Proceed", proceed.Path, "Token", token)})
		tids[u.accepted()] = token
		tell.Read()
	}
	p.kill(p.manager()) // which is the service
	proceed.Open(len(tids))
	for tid := range tids {
		p.awaitEnd(tid)
	}
	again := p.user()
	for tid, token := range tids {
		again.call(call{Do: "result", TID: tid})
		if got := again.line(); got.Status != taskspec.StatusCompleted || got.Output != `"`+token+`"` {
			t.Errorf("got %+v, want %q", got, token)
		}
	}
}

// TestFunctionPool calls functions one after the other: each has a process of its
// own, also between commands, and one that waits is gone when a command runs.
func TestFunctionPool(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal")
	u := p.user()
	run := func(spec *taskspec.Spec) line {
		t.Helper()
		u.call(call{Do: "run", Spec: spec})
		u.accepted()
		got := u.line()
		if got.Status != taskspec.StatusCompleted {
			t.Fatalf("got %+v", got)
		}
		return got
	}
	pids := make(map[string]bool)
	for i := range 6 {
		pids[run(weft.Function("pid")).Output] = true
		if i == 2 {
			// ps is not everywhere; the task's own processes are those of its session.
			got := run(shell(`for p in /proc/[0-9]*; do read -r _ _ _ _ _ s _ <$p/stat && [ "$s" = "$(cut -d' ' -f6 /proc/$$/stat)" ] && echo ${p#/proc/}; done 2>/dev/null; :`))
			for pid := range pids {
				if strings.Contains(got.Output, pid+"\n") {
					t.Errorf("process %s is there beside a command", pid)
				}
			}
		}
	}
	if len(pids) != 6 {
		t.Errorf("6 calls ran in %d processes", len(pids))
	}
	waiting := 0
	for waiting == 0 && p.ctx.Err() == nil { // it is started while the result is on its way
		for id, title := range p.processes() {
			if strings.HasPrefix(title, "weft-function") {
				p.kill(id)
				waiting++
			}
		}
	}
	// One that has died is no harm.
	if got := run(function("add", "a", 1)); waiting == 0 || got.Output != "1" {
		t.Errorf("%d processes waited for a call, and then %+v", waiting, got)
	}
}

// TestFunctionNested has functions that call functions, in the one slot there is.
func TestFunctionNested(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal")
	c, tid := p.run(weft.Function("nested", 3))
	if got := c.answer(); got.Status != taskspec.StatusCompleted || got.Output != "42" {
		t.Errorf("got %+v", got)
	}
	depth := 0
	for _, task := range p.tasks() {
		depth = max(depth, task.Depth)
		if (task.Parent == "") != (task.TID == tid) {
			t.Errorf("task %s (%s) is of %q", task.TID, task.Name, task.Parent)
		}
	}
	if depth != 4 {
		t.Errorf("the deepest task is %d deep", depth)
	}
}
