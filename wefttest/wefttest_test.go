//go:build linux

package wefttest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weft"
	"weft/taskspec"
	"weft/wefttest"
)

func TestMain(m *testing.M) {
	weft.Register("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	weft.Register("pid", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })
	wefttest.Main(m)
}

// A test that uses Weft.
func TestDouble(t *testing.T) {
	t.Parallel()
	p := wefttest.New(t)
	if res := p.Complete(wefttest.Inline("double", 21)); string(res.Output) != "42" {
		t.Errorf("got %s", res.Output)
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	p := wefttest.New(t)
	if res := p.Complete(weft.Command("tr", "a-z", "A-Z"), weft.SubmitOptions{Stdin: strings.NewReader("hi")}); string(res.Output) != "HI" {
		t.Errorf("got %q", res.Output)
	}
	here := fmt.Sprint(os.Getpid())
	if res := p.Complete(wefttest.Inline("pid")); string(res.Output) != here {
		t.Errorf("an inline call ran in process %s, not in %s", res.Output, here)
	}
	if res := p.Complete(weft.Function("pid")); string(res.Output) == here {
		t.Error("a call ran in the process of the test")
	}
	task := p.Start(weft.Command("sleep", "1000"))
	p.WaitFor(task, taskspec.StatusRunning)
	if _, err := task.Kill(p.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Wait(task); s.Status != taskspec.StatusKilled {
		t.Errorf("got %s", s.Status)
	}
}

// A tb takes note of what a test would fail for.
type tb struct {
	testing.TB
	cleanups []func()
	said     []string
}

func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *tb) Errorf(format string, args ...any) {
	t.said = append(t.said, fmt.Sprintf(format, args...))
}

// What a test leaves makes it fail, and is ended.
func TestLeft(t *testing.T) {
	t.Parallel()
	inner := &tb{TB: t}
	p := wefttest.New(inner)
	p.WaitFor(p.Start(weft.Command("sleep", "1001")), taskspec.StatusRunning)
	for i := range inner.cleanups {
		inner.cleanups[len(inner.cleanups)-1-i]()
	}
	if len(inner.said) != 1 || !strings.Contains(inner.said[0], "(sleep) is still running") {
		t.Errorf("got %q", inner.said)
	}
}

// So does a process.
func TestLeftProcess(t *testing.T) {
	t.Parallel()
	inner := &tb{TB: t}
	p := wefttest.New(inner)
	left := exec.Command("sleep", "1002")
	left.Env = append(os.Environ(), "WEFT_CONTEXT="+p.Root())
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range inner.cleanups {
		inner.cleanups[len(inner.cleanups)-1-i]()
	}
	if want := fmt.Sprintf("wefttest: process %d of a task is left", left.Process.Pid); len(inner.said) != 1 || inner.said[0] != want {
		t.Errorf("got %q, want %q", inner.said, want)
	}
	if err := left.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = left.Wait() // it says that it was killed
}
