package attempt

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"weft/internal/waittest"
)

// A stream counts what is written to it; before each write, check is called.
type stream struct {
	size  int
	check func()
}

func (s *stream) Write(p []byte) (int, error) {
	s.size += len(p)
	s.check()
	return len(p), nil
}

// piped returns an attempt with two pipes, and their other ends.
func piped(t *testing.T) (a *Attempt, out, errs *os.File) {
	t.Helper()
	a = new(Attempt)
	var err error
	if a.stdout, out, err = os.Pipe(); err == nil {
		a.stderr, errs, err = os.Pipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	return a, out, errs
}

// TestReadPipes writes to both streams in turn, and has what came first on one of them kept
// before what followed it on the other is: the output of a command, what a function logs
// before its value.
func TestReadPipes(t *testing.T) {
	t.Parallel()
	for _, worker := range []bool{false, true} {
		a, task1, task2 := piped(t)
		first, second := &stream{check: func() {}}, &stream{}
		second.check = func() { // the reads of both streams exclude each other
			if second.size > first.size {
				t.Errorf("worker %v: %d bytes of the second stream are there before the first, of %d", worker, second.size, first.size)
			}
		}
		a.Stdout, a.Stderr = first, second
		if worker {
			a.Process = new(exec.Cmd)
			a.Stdout, a.Stderr = second, first
			task1, task2 = task2, task1
		}
		a.readPipes()
		size := 0
		for i := range 20_000 {
			line := fmt.Appendf(nil, "line %d\n", i)
			for _, w := range []*os.File{task1, task2} {
				if _, err := w.Write(line); err != nil {
					t.Fatal(err)
				}
			}
			size += len(line)
		}
		task1.Close()
		task2.Close()
		a.drain(Ending{})
		if first.size != size || second.size != size {
			t.Errorf("worker %v: %d and %d bytes are kept of %d", worker, first.size, second.size, size)
		}
	}
}

// TestLateReader has the end of a task find its output unread, as where this process
// gets no time to read it: nothing is lost, though somebody else holds the pipe open.
func TestLateReader(t *testing.T) {
	t.Parallel()
	a, out, errs := piped(t)
	defer out.Close()
	defer errs.Close()
	if _, err := out.WriteString("late\n"); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	read := make(chan struct{})
	a.Go(func() { <-read; _, _ = io.Copy(&got, a.stdout) })
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		a.drain(Ending{})
	}()
	<-time.After(3 * PipeDeadline) // it would be given up by then
	close(read)
	select {
	case <-drained:
	case <-waittest.Context(t).Done():
		t.Fatal("the output is not drained")
	}
	if got.String() != "late\n" {
		t.Errorf("%q was read", got.String())
	}
}

// A blocked writer takes nothing until it is closed.
type blocked struct{ begun, until chan struct{} }

func (b blocked) Write(p []byte) (int, error) {
	close(b.begun)
	<-b.until
	return len(p), nil
}

// TestBlockedWriter waits for a writer until a user asks for the end.
func TestBlockedWriter(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(a *Attempt, requests chan Request) Ending{
		"before": func(*Attempt, chan Request) Ending { return Ending{cause: byKill} },
		"later": func(a *Attempt, requests chan Request) Ending {
			requests <- RequestInterrupt
			requests <- RequestStop
			return Ending{}
		},
	} {
		a, out, errs := piped(t)
		b := blocked{make(chan struct{}), make(chan struct{})}
		a.Stdout, a.Stderr, a.Abandon = b, io.Discard, func() { close(b.until) }
		requests := make(chan Request, 2)
		a.End = requests
		a.readPipes()
		if _, err := out.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		out.Close()
		errs.Close()
		<-b.begun
		if a.idle() {
			t.Errorf("%s: idle while a writer blocks", name)
		}
		a.drain(ask(a, requests))
	}
}

// TestIdle: idle is what tells that a dead tree has nothing more to say.
func TestIdle(t *testing.T) {
	t.Parallel()
	a := new(Attempt)
	p := &pipe{to: io.Discard, buf: []byte("bc"), kept: &a.kept}
	for i, step := range []struct {
		bytes int
		want  bool
	}{{0, true}, {1, false}, {0, true}, {0, true}, {2, false}, {0, true}} {
		p.keep(step.bytes)
		if got := a.idle(); got != step.want {
			t.Errorf("step %d: idle is %v", i, got)
		}
	}
}
