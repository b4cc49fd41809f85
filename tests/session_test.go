//go:build linux

package weft_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weft"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/tty"
	"weft/taskspec"
)

// onTerminal is a script with a terminal.
func onTerminal(script string) *taskspec.Spec {
	spec := shell(script)
	spec.TTY = true
	return spec
}

// a dialogue is a session whose output is read line by line.
type dialogue struct {
	*testing.T
	*weft.Session
	lines *bufio.Reader
}

func newDialogue(t *testing.T, s *weft.Session) *dialogue {
	return &dialogue{t, s, bufio.NewReader(s)}
}

// hear reads lines until one is want.
func (d *dialogue) hear(want string) {
	d.Helper()
	for {
		line, err := d.lines.ReadString('\n')
		if strings.TrimRight(line, "\r\n") == want {
			return
		}
		if err != nil {
			d.Fatalf("waited for the line %q: %v", want, err)
		}
	}
}

func (d *dialogue) say(text string) {
	d.Helper()
	if _, err := d.Write([]byte(text)); err != nil {
		d.Fatal(err)
	}
}

// TestSession talks with a program, leaves it, comes back, and ends it.
func TestSession(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	spec := onTerminal(`stty size; read a; echo "got $a"; read b; stty size; read c; exit 3`)
	s, err := p.open().OpenSession(p.ctx, spec, weft.SubmitOptions{Env: append(p.env, "LINES=40", "COLUMNS=120")})
	if err != nil {
		t.Fatal(err)
	}
	d := newDialogue(t, s)
	d.hear("40 120")
	d.say("one\r")
	d.hear("got one")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read from a session that was closed: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write to a session that was closed: %v", err)
	}

	s, err = s.Task().Attach(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	d = newDialogue(t, s)
	d.hear("got one") // what was shown last
	if err := s.Resize(50, 100); err != nil {
		t.Fatal(err)
	}
	d.say("two\r")
	d.hear("50 100")
	d.say("three\r")
	if _, err := io.Copy(io.Discard, d.lines); err != nil {
		t.Errorf("read to the end: %v", err)
	}
	status, err := s.Wait(p.ctx)
	if err != nil || status.ReturnCode == nil || *status.ReturnCode != 3 {
		t.Errorf("ended with %+v, %v", status, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Task().Attach(p.ctx); !errors.Is(err, weft.ErrNotRunning) {
		t.Errorf("attach to a task that has ended: %v", err)
	}
	// The keys were echoed, as at every terminal.
	res, err := s.Task().Result(p.ctx)
	if want := "40 120\r\none\r\ngot one\r\ntwo\r\n50 100\r\nthree\r\n"; err != nil || string(res.Output) != want {
		t.Errorf("result %q, %v; want %q", res.Output, err, want)
	}
}

// TestSessionWithoutReader has a task end while nobody reads, leaves a session
// of another, and a second one by the end of its context.
func TestSessionWithoutReader(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	s, err := p.open().OpenSession(p.ctx, onTerminal("seq 100000"))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := s.Wait(p.ctx); err != nil || status.Status != taskspec.StatusCompleted {
		t.Errorf("ended unread: %+v, %v", status, err)
	}
	// What the consumer could not bring to its client is where it is kept.
	out, err := io.ReadAll(s)
	if err != nil || strings.Count(string(out), "\r\n") != 100000 {
		t.Errorf("%d lines, %v", strings.Count(string(out), "\r\n"), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = p.open().OpenSession(p.ctx, onTerminal("seq 100000; read a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	if s, err = s.Task().Attach(ctx); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	cancel(enough)
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, enough) {
		t.Errorf("read after the end of the context: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if status, err := s.Task().Stop(p.ctx); err != nil || status.Status != taskspec.StatusCancelled {
		t.Errorf("stopped: %+v, %v", status, err)
	}
}

// TestSessionOutput reads all that a task prints which is over at once, also
// what does not fit its result.
func TestSessionOutput(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	for _, limit := range []*float64{nil, new(0.0)} {
		spec := onTerminal("seq 5000")
		spec.OutputSizeLimitMB = limit
		s, err := p.open().OpenSession(p.ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(s)
		if err != nil || strings.Count(string(out), "\r\n") != 5000 {
			t.Errorf("limit %v: %d lines, %v", limit, strings.Count(string(out), "\r\n"), err)
		}
		_, err = s.Wait(p.ctx)
		if err = errors.Join(err, s.Close(), s.Task().Discard(p.ctx)); err != nil {
			t.Error(err)
		}
	}
}

// TestSessionOfLost kills a consumer: the session ends when that is recorded.
func TestSessionOfLost(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	s, err := p.open().OpenSession(p.ctx, onTerminal("echo begun; read a"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := newDialogue(t, s)
	d.hear("begun")
	p.kill(p.task(s.Task().TID()).Consumer)
	if rest, err := io.ReadAll(d.lines); err != nil || len(rest) > 0 {
		t.Errorf("after the loss: %q, %v", rest, err)
	}
	status, err := s.Wait(p.ctx)
	if err != nil || status.Status != taskspec.StatusFailed || status.ReturnCode != nil {
		t.Errorf("ended with %+v, %v", status, err)
	}
}

// TestSessionLeavesNothing kills the consumer of a shell that has started a
// process which carries no mark of the task, and is not in front.
func TestSessionLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	s, err := p.open().OpenSession(p.ctx, onTerminal(`set -m; env -i sleep 1000 & echo "pid $!"; read a`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lines := bufio.NewReader(s)
	var pid int
	for pid == 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscanf(line, "pid %d", &pid)
	}
	left, err := proc.Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = left.Signal(syscall.SIGKILL) })
	// Its own process is known a moment after it has begun.
	for status := new(weft.TaskStatus); status.PID == 0; {
		if status, err = s.Task().Status(p.ctx); err != nil {
			t.Fatal(err)
		}
	}
	p.kill(p.task(s.Task().TID()).Consumer)
	if _, err := s.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}
	if left.Alive() {
		t.Errorf("left behind: process %d", pid)
	}
}

// TestNoSession attaches to what has no terminal.
func TestNoSession(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if _, err := p.open().OpenSession(p.ctx, weft.Command("true")); !errors.Is(err, weft.ErrNoTerminal) {
		t.Errorf("open a session without a terminal: %v", err)
	}
	task, err := p.open().SubmitContext(p.ctx, weft.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Attach(p.ctx); !errors.Is(err, weft.ErrNoTerminal) {
		t.Errorf("attach to a task without a terminal: %v", err)
	}
	if err := task.SendInput(p.ctx, []byte("x")); !errors.Is(err, weft.ErrNotInteractive) {
		t.Errorf("send input to a task that reads none: %v", err)
	}
	if _, err := task.Kill(p.ctx); err != nil {
		t.Error(err)
	}
}

// TestSendInput sends lines to a task that has not begun, and bytes to one that
// runs, at a terminal or not.
func TestSendInput(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	for _, tty := range []bool{false, true} {
		spec := shell(`read a; echo "got $a"; trap 'echo int; exit 4' INT; while :; do sleep 0.1; done`)
		spec.Interactive, spec.TTY = true, tty
		task, err := p.open().SubmitContext(p.ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := task.SendInput(p.ctx, []byte("o")); err != nil {
			t.Fatal(err)
		}
		if err := task.SendInput(p.ctx, []byte("ne\n")); err != nil {
			t.Fatal(err)
		}
		heard, say := io.Pipe()
		go func() {
			_, err := task.Output(p.ctx, say, nil)
			say.CloseWithError(err)
		}()
		lines := bufio.NewReader(heard)
		for line := ""; line != "got one"; {
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			line = strings.TrimRight(line, "\r\n")
		}
		if err := errors.Join(task.CloseInput(p.ctx), task.Interrupt(p.ctx)); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(lines); err != nil || !strings.Contains(string(rest), "int") {
			t.Errorf("at a terminal %v: after the interrupt %q, %v", tty, rest, err)
		}
		status, err := task.Wait(p.ctx)
		if err != nil || status.ReturnCode == nil || *status.ReturnCode != 4 {
			t.Errorf("ended with %+v, %v", status, err)
		}
		if err := task.SendInput(p.ctx, nil); !errors.Is(err, weft.ErrNotRunning) {
			t.Errorf("send input to a task that has ended: %v", err)
		}
	}
}

// TestSessionBesideGarbage attaches to a task while others have connected to it that say
// nothing, half of what they should, or anything else: each of them ends alone.
func TestSessionBesideGarbage(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	s, err := p.open().OpenSession(p.ctx, onTerminal(`read a; echo "got $a"; read b`))
	if err != nil {
		t.Fatal(err)
	}
	hello := tty.NewHello(0, tty.Size{})
	old := tty.Frame{Kind: tty.Hello}
	var others []*tty.Conn
	for _, say := range []func(*tty.Conn) error{
		func(*tty.Conn) error { return nil },
		func(c *tty.Conn) error { _, err := c.Write([]byte("h")); return err },
		func(c *tty.Conn) error { _, err := c.Write([]byte(strings.Repeat("garbage", 1000))); return err },
		func(c *tty.Conn) error {
			return errors.Join(c.Send(hello), c.Send(tty.Frame{Kind: 'x', Data: []byte("x")}))
		},
		func(c *tty.Conn) error {
			_, err := c.Write([]byte(strings.Repeat("\xff", 100)))
			return errors.Join(c.Send(hello), err)
		},
		func(c *tty.Conn) error { return c.Send(old) },
	} {
		c, err := tty.Dial(filepath.Join(p.dir, ledger.Dir), s.Task().TID(), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = say(c) // it may have been turned away
		others = append(others, c)
	}
	told, err := others[len(others)-1].Receive()
	if err != nil || !strings.Contains(string(told.Data), "another version of weft") {
		t.Errorf("a client of another version is told %q, %v", told.Data, err)
	}
	d := newDialogue(t, s)
	d.say("one\r")
	d.hear("got one")
	again, err := s.Task().Attach(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	newDialogue(t, again).say("two\r")
	if status, err := s.Wait(p.ctx); err != nil || status.Status != taskspec.StatusCompleted {
		t.Errorf("ended with %+v, %v", status, err)
	}
	if err := errors.Join(again.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
