//go:build linux

package weft_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestRun drives the outcomes of a command through the whole product.
func TestRun(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	folder := t.TempDir()
	script := filepath.Join(folder, "plain.txt")
	if err := os.WriteFile(script, []byte("echo hi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(folder, "orphan")
	if err := os.WriteFile(orphan, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	within := func(d time.Duration) func(*taskspec.Spec) {
		return func(spec *taskspec.Spec) { spec.Timeout = d; spec.StopGrace = new(200 * time.Millisecond) }
	}
	for _, test := range []struct {
		name   string
		spec   *taskspec.Spec
		change func(*taskspec.Spec)
		status taskspec.Status
		code   int
		signal string
		error  string
		stdout string
		stderr string
	}{
		{name: "success", spec: weft.Command("echo", "hello world"), status: taskspec.StatusCompleted, stdout: "hello world\n"},
		{name: "no output", spec: weft.Command("true"), status: taskspec.StatusCompleted},
		{name: "no newline", spec: weft.Command("printf", "x"), status: taskspec.StatusCompleted, stdout: "x"},
		{name: "both streams", spec: shell("echo out; echo err >&2; exit 3"), status: taskspec.StatusFailed, code: 3,
			error: "command exited with 3: err", stdout: "out\n", stderr: "err\n"},
		{name: "truncating redirection", spec: shell("echo one; echo two >/dev/stdout"), status: taskspec.StatusCompleted, stdout: "one\ntwo\n"},
		{name: "binary", spec: shell(`printf '\377\000\376'`), status: taskspec.StatusCompleted, stdout: "\xff\x00\xfe"},
		{name: "signal", spec: shell("kill -SEGV $$"), status: taskspec.StatusFailed, code: 139, signal: "SIGSEGV", error: "command was killed by SIGSEGV"},
		{name: "not found", spec: weft.Command("nosuchcommand"), status: taskspec.StatusFailed, code: 127, error: "nosuchcommand: command not found"},
		{name: "not found path", spec: weft.Command("./no/such"), status: taskspec.StatusFailed, code: 127, error: "./no/such: command not found"},
		{name: "folder", spec: weft.Command(folder), status: taskspec.StatusFailed, code: 126, error: folder + ": is a directory"},
		{name: "not executable", spec: weft.Command(script), status: taskspec.StatusFailed, code: 126, error: script + ": permission denied"},
		{name: "no interpreter", spec: weft.Command(orphan), status: taskspec.StatusFailed, code: 126, error: orphan + ": its interpreter does not exist"},
		{name: "no folder", spec: weft.Command("true"), change: func(s *taskspec.Spec) { s.WorkingDir = "/no/such" },
			status: taskspec.StatusFailed, code: 126, error: `working directory "/no/such": no such directory`},
		{name: "timeout", spec: weft.Command("sleep", "1000"), change: within(300 * time.Millisecond), status: taskspec.StatusTimeout, code: 124, error: "timed out after 300ms"},
		{name: "environment", spec: shell(`echo "$GREETING from $WEFT_CONTEXT"`),
			change: func(s *taskspec.Spec) { s.Env = map[string]string{"GREETING": "hi"} },
			status: taskspec.StatusCompleted, stdout: "hi from " + p.dir + "\n"},
		{name: "left behind", spec: shell("sleep 1000 & echo done"), status: taskspec.StatusCompleted, stdout: "done\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.change != nil {
				test.change(test.spec)
			}
			res, err := p.open().RunContext(p.ctx, test.spec)
			if failed, ok := errors.AsType[*weft.TaskError](err); err != nil && (!ok || failed.TID != res.TID) {
				t.Fatalf("run: %v", err)
			}
			if (err == nil) != (test.status == taskspec.StatusCompleted) {
				t.Errorf("error %v of a task that %s", err, res.Status)
			}
			if res.Status != test.status || res.ReturnCode == nil || *res.ReturnCode != test.code || res.Signal != test.signal || res.Error != test.error {
				t.Errorf("got %s code %v signal %q error %q", res.Status, res.ReturnCode, res.Signal, res.Error)
			}
			if string(res.Output) != test.stdout || string(res.Stderr) != test.stderr {
				t.Errorf("stdout %q stderr %q", res.Output, res.Stderr)
			}
		})
	}
}

// TestRunIntoTimeout has the output of a command that ignores SIGTERM.
func TestRunIntoTimeout(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	waittest.InTime(t, 300*time.Millisecond, func(timeout time.Duration) bool {
		tell := p.fifo("tell " + timeout.String())
		spec := shell(`trap "" TERM; echo on; echo begun >"$1"; sleep 1000`, tell.Path)
		spec.Timeout, spec.StopGrace = timeout, new(200*time.Millisecond)
		task, err := p.open().SubmitContext(p.ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		begun := p.told(tell, task.TID(), 1)
		res, err := task.Result(p.ctx)
		if err != nil || res.Status != taskspec.StatusTimeout || begun != nil && string(res.Output) != "on\n" {
			t.Errorf("got %+v, %v", res, err)
		}
		return begun != nil
	})
}

// TestRunInvalid refuses before anything is queued.
func TestRunInvalid(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	spec := weft.Command("true")
	spec.Name = ""
	spec.Timeout = -time.Second
	_, err := p.open().SubmitContext(p.ctx, spec)
	invalid, ok := errors.AsType[*taskspec.ValidationError](err)
	if !ok || len(invalid.Problems) != 2 {
		t.Errorf("two problems expected: %v", err)
	}
	elsewhere := weft.Command("true")
	elsewhere.IO.Control = map[string]string{"other": "orders"}
	if _, err = p.open().SubmitContext(p.ctx, elsewhere); err == nil || !strings.Contains(err.Error(), "io.control.other: not supported yet") {
		t.Errorf("a task that would not hear its orders: %v", err)
	}
	if tasks := p.tasks(); len(tasks) != 0 {
		t.Errorf("%d tasks were queued", len(tasks))
	}
}

// TestStdin gives input that fits a message, and input that does not.
func TestStdin(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	for name, input := range map[string][]byte{
		"none":   nil,
		"text":   []byte("two lines\nof text\n"),
		"json":   []byte(`{"stdin": "not an item", "x": 1}`),
		"binary": {0xff, 0, 0xfe},
		"large":  bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			res, err := p.open().RunContext(p.ctx, weft.Command("cat"), weft.SubmitOptions{Stdin: bytes.NewReader(input)})
			if err != nil || !bytes.Equal(res.Output, input) {
				t.Errorf("%d bytes became %d: %v", len(input), len(res.Output), err)
			}
		})
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish() // consumers remove inputs when their tasks have been recorded
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".weft", "outputs", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSubmitter runs a task with the directory and environment of the process that
// submitted it, whatever the manager's are.
func TestSubmitter(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	dir := t.TempDir()
	for _, who := range []string{"first", "second"} {
		res, err := p.open().RunContext(p.ctx, shell(`pwd; echo "$WHO"; echo "${HOME-unset}"`),
			weft.SubmitOptions{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "WHO=" + who, p.mark()}})
		if want := dir + "\n" + who + "\nunset\n"; err != nil || string(res.Output) != want {
			t.Errorf("got %q, want %q: %v", res.Output, want, err)
		}
	}
}

// TestLive shows output while the task is still running.
func TestLive(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	task, err := p.open().SubmitContext(p.ctx, shell(`echo early; echo begun >"$1"; read x <"$2"; echo late`, tell.Path, proceed.Path))
	if err != nil {
		t.Fatal(err)
	}
	tell.Read()
	seen := make(lines, 8)
	done := make(chan error, 1)
	go func() {
		_, err := task.Output(p.ctx, seen, nil)
		done <- err
	}()
	if got := seen.next(p.ctx); got != "early\n" {
		t.Errorf("saw %q while the task ran", got)
	}
	proceed.Open(1)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := seen.next(p.ctx); got != "late\n" {
		t.Errorf("saw %q at the end", got)
	}
	if err := task.Discard(p.ctx); err != nil {
		t.Error(err)
	}
}

// lines is a writer that hands on what it gets.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func (l lines) next(ctx context.Context) string {
	select {
	case s := <-l:
		return s
	case <-ctx.Done():
		return ctx.Err().Error()
	}
}

// TestLargeOutput keeps what does not fit a message in a file, also when its result is taken,
// until the task goes.
func TestLargeOutput(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	const size = 20 << 20
	task, err := p.open().SubmitContext(p.ctx, shell(`head -c "$1" /dev/zero; head -c 200000 /dev/zero >&2`, "20971520"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := task.Result(p.ctx)
	if err != nil || res.Large == nil || res.Output != nil || !res.StderrTruncated {
		t.Fatalf("large %+v, stderr truncated %v: %v", res.Large, res.StderrTruncated, err)
	}
	var out, errs count
	if _, err := task.Output(p.ctx, &out, &errs); err != nil || out != size || errs != 200000 {
		t.Errorf("%d and %d bytes: %v", out, errs, err)
	}
	if err := task.Discard(p.ctx); err != nil {
		t.Error(err)
	}
	if _, err := task.Result(p.ctx); !errors.Is(err, weft.ErrResultConsumed) {
		t.Errorf("taken again: %v", err)
	}
	out, errs = 0, 0
	if _, err := task.Output(p.ctx, &out, &errs); err != nil || out != size || errs != 200000 {
		t.Errorf("read again: %d and %d bytes: %v", out, errs, err)
	}
	if _, err := p.open().System().Tidy(p.ctx, weft.TidyOptions{All: true}); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".weft", "outputs", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// count counts what is written to it.
type count int

func (c *count) Write(b []byte) (int, error) {
	*c += count(len(b))
	return len(b), nil
}

// TestTaken hands a result out once.
func TestTaken(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	task, err := p.open().SubmitContext(p.ctx, weft.Command("echo", "once"))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := task.Result(p.ctx); err != nil || string(res.Output) != "once\n" {
		t.Errorf("first: %v %v", res, err)
	}
	if res, err := task.Result(p.ctx); !errors.Is(err, weft.ErrResultConsumed) || res.Status != taskspec.StatusCompleted {
		t.Errorf("second: %v %v", res, err)
	}
}

// TestRunCancelled stops the task of a run whose context ends.
func TestRunCancelled(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	tell := p.fifo("tell")
	ctx, cancel := context.WithCancel(p.ctx)
	go func() {
		tell.Read()
		cancel()
	}()
	if _, err := p.open().RunContext(ctx, shell(`echo begun >"$1"; exec sleep 1000`, tell.Path)); !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if tasks := p.tasks(taskspec.StatusCancelled); len(tasks) != 1 {
		t.Errorf("the task was not stopped: %v", p.tasks())
	}
}

// TestHandWritten runs a request that a user wrote into the queue.
func TestHandWritten(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	for _, body := range []string{
		`{"name":"by hand","spec":{"type":"command","process_target":"pwd"}}`,
		`{"taskspec":{"name":"with item","spec":{"type":"command","process_target":"cat"}},"inbox_message":"` + p.dir + `\n"}`,
	} {
		id, err := p.open().Queue(ledger.Requests).Write(p.ctx, body)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.open().Manager().Start(p.ctx); err != nil {
			t.Fatal(err)
		}
		p.awaitEnd(id.String())
		task, err := p.open().Task(p.ctx, id.String())
		if err != nil {
			t.Fatal(err)
		}
		if res, err := task.Result(p.ctx); err != nil || string(res.Output) != p.dir+"\n" {
			t.Errorf("%s: %q %v", body, res.Output, err)
		}
	}
	id, err := p.open().Queue(ledger.Requests).Write(p.ctx, `{"name":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if l := p.awaitEnd(id.String()); l.Status != taskspec.StatusFailed || !strings.Contains(l.Error, "name: want") {
		t.Errorf("bad request ended %s: %s", l.Status, l.Error)
	}
}

// TestFind finds a task by the forms of its id.
func TestFindTask(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	task, err := p.open().SubmitContext(p.ctx, weft.Command("true"))
	if err != nil {
		t.Fatal(err)
	}
	full := task.TID()
	for _, tid := range []string{full, taskspec.ShortTID(full), full[15:], "@last"} {
		if found, err := p.open().Task(p.ctx, tid); err != nil || found.TID() != full {
			t.Errorf("%s: %v", tid, err)
		}
	}
	for _, tid := range []string{"", "123", "x" + full[1:], "0000000000000000001", full + "1"} {
		if _, err := p.open().Task(p.ctx, tid); !errors.Is(err, weft.ErrNoTask) {
			t.Errorf("%q: %v", tid, err)
		}
	}
	if _, err := task.Wait(p.ctx); err != nil {
		t.Error(err)
	}
}

// TestNested lets a task submit a task and wait for it while it holds the only
// slot.
func TestNested(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := json.Marshal(call{Do: "run", Dir: p.dir, Spec: weft.Command("echo", "inner")})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := p.run(shell(`printf %s "$2" | "$1"`, exe, string(inner)))
	if l := c.answer(); !strings.Contains(l.Output, `"Output":"inner\n"`) {
		t.Errorf("got %+v", l)
	}
	tasks := p.tasks()
	if len(tasks) != 2 || tasks[1].Parent != tasks[0].TID || tasks[1].Depth != 1 {
		t.Errorf("the inner task does not know its parent: %+v", tasks)
	}
}
