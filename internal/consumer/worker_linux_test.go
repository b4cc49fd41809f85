package consumer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/monitor"
	"weft/taskspec"
)

// functionsOfTests are the functions that the test binary has as a worker.
func functionsOfTests() *function.Registry {
	r := new(function.Registry)
	add := func(f *function.Function) {
		if err := r.Add(f); err != nil {
			panic(err)
		}
	}
	add(function.New("pid", "", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil }))
	add(function.New("gated", "", func(ctx context.Context, fifo string) (string, error) {
		f, err := os.OpenFile(fifo, os.O_RDWR, 0)
		if err != nil {
			return "", err
		}
		defer f.Close()
		function.RunOf(ctx).Progress(1, 2, "half")
		if _, err := fmt.Fprintln(f, "begun"); err != nil {
			return "", err
		}
		<-ctx.Done()
		return "", fmt.Errorf("it ended because: %w", context.Cause(ctx))
	}))
	return r
}

// calls makes an assignment that calls a function of the test binary.
func (d *fakeManager) calls(name string, args ...any) *ledger.Assignment {
	d.Helper()
	a := d.task()
	call, err := taskspec.Work{Args: args}.Call("")
	if err != nil {
		d.Fatal(err)
	}
	a.Function = &ledger.FunctionCall{Name: name, Program: "/proc/self/exe", Version: "tests", Call: call}
	return a
}

// children are the processes that the consumer has started and nobody has
// reaped, except it itself.
func (d *fakeManager) children() (pids []int) {
	d.Helper()
	members, err := monitor.Tree{Root: d.self.PID}.Members()
	if err != nil {
		d.Fatal(err)
	}
	for _, m := range members {
		if m.PID != d.self.PID {
			pids = append(pids, m.PID)
		}
	}
	return pids
}

// TestWorkerWaits has a worker wait after each call, and take the next call of
// its host; before any other task it has gone.
func TestWorkerWaits(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	pid := func() string {
		t.Helper()
		h := d.run(d.calls("pid"))
		if h.Outcome.Status != taskspec.StatusCompleted {
			t.Fatalf("%+v", h.Outcome)
		}
		return string(h.Result)
	}
	first := pid()
	var waiting []int
	waittest.Until(t, "what the test waits for", func() bool { waiting = d.children(); return len(waiting) == 1 })
	if second := pid(); second == first || second != fmt.Sprint(waiting[0]) {
		t.Errorf("calls ran in %s and %s, and %v waited", first, second, waiting)
	}
	waittest.Until(t, "what the test waits for", func() bool { waiting = d.children(); return len(waiting) == 1 })
	if h := d.run(d.shell("ls /proc")); slices.Contains(strings.Fields(string(h.Result)), fmt.Sprint(waiting[0])) {
		t.Errorf("a command ran beside the worker %d", waiting[0])
	}
	if left := d.children(); len(left) > 0 {
		t.Errorf("after a command there are %v", left)
	}
	pid()
	waittest.Until(t, "what the test waits for", func() bool { waiting = d.children(); return len(waiting) == 1 })
	other := d.calls("pid")
	other.Function.Version = "tests, built anew"
	if h := d.run(other); string(h.Result) == fmt.Sprint(waiting[0]) {
		t.Error("a worker of an older host was called")
	}
}

// TestWorkerAlone takes the manager away from a function that runs: progress and
// end are recorded by the consumer.
func TestWorkerAlone(t *testing.T) {
	t.Parallel()
	s := newFakeManager(t).store()
	g := newFIFO(t)
	j, shell := s.submit("unused")
	a := s.calls("gated", g.Path)
	a.TID = shell.TID
	s.send(Order{Task: a}, s.dispatch(j, s.self))
	if got := g.Read(); got != "begun" {
		t.Fatalf("it says %q", got)
	}
	for r := s.report(); r.Progress == nil || r.Progress.Done != 1 || r.Progress.Note != "half"; r = s.report() {
	}
	s.link.Close()
	s.update(func(tx *broker.Tx) error {
		_, err := ledger.End(tx, a.TID, ledger.CommandStop, time.Now())
		return err
	})
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	s.wantEnd(a.TID, taskspec.Stopped(), "")
}

// TestWorkerStranger calls a program that is none of Weft's, and one that is not
// there.
func TestWorkerStranger(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	for program, reason := range map[string]string{
		"/bin/true":    "/bin/true: it did not become a worker, for which it must call weft.Init first: function exited with 0 without returning",
		"/bin/false":   "/bin/false: it did not become a worker, for which it must call weft.Init first: function exited with 1 without returning",
		"/no/such":     "function pid: its program /no/such does not exist any more",
		"/etc/passwd/": "/etc/passwd/: not a directory",
	} {
		a := d.calls("pid")
		a.Function.Program = program
		if h := d.run(a); h.Outcome.Status != taskspec.StatusFailed || h.Outcome.Error != reason {
			t.Errorf("%s: %+v", program, h.Outcome)
		}
	}
	gone := d.calls("no.such")
	if h := d.run(gone); h.Outcome.ReturnCode != nil || !strings.Contains(h.Outcome.Error, "no such function any more") {
		t.Errorf("a function that is not there: %+v", h.Outcome)
	}
	lost := d.calls("pid")
	lost.Dir = "/no/such"
	if h := d.run(lost); h.Outcome.ReturnCode == nil || *h.Outcome.ReturnCode != 126 || h.Outcome.Error != `working directory "/no/such": no such directory` {
		t.Errorf("a folder that is not there: %+v", h.Outcome)
	}
}

// BenchmarkWorker calls a function in a process that is started for it, and in
// one that waits.
func BenchmarkWorker(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := &ledger.FunctionCall{Name: "pid", Program: "/proc/self/exe", Version: "tests"}
	hired := func() *worker {
		c, err := startWorker(f, os.Environ(), func(cmd *exec.Cmd) (string, error) { return "", cmd.Start() })
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	work := func(c *worker) {
		if err := c.link.Send(WorkerOrder{Work: &Work{Protocol: WorkerProtocol, Name: f.Name, Dir: "/"}}); err != nil {
			b.Fatal(err)
		}
		for {
			r, err := c.link.Receive()
			if err != nil {
				b.Fatal(err)
			}
			if r.Answer != nil {
				return
			}
		}
	}
	end := func(c *worker) {
		c.close()
		_ = c.cmd.Wait()
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			c := hired()
			work(c)
			b.StopTimer()
			end(c)
			b.StartTimer()
		}
	})
	b.Run("waiting", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := hired()
			if _, err := c.link.Receive(); err != nil { // its greeting
				b.Fatal(err)
			}
			// It has greeted, and in a moment it waits.
			for s, err := proc.Read(c.cmd.Process.Pid); err == nil && s.State != 'S'; s, err = proc.Read(c.cmd.Process.Pid) {
				runtime.Gosched()
			}
			b.StartTimer()
			work(c)
			b.StopTimer()
			end(c)
			b.StartTimer()
		}
	})
}
