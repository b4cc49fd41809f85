package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/term"

	"weft"
	"weft/internal/tty"
	"weft/taskspec"
)

type attachCmd struct {
	TID string `arg:"" name:"tid" complete:"live-task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`

	detachOption
	ExitCode bool `help:"Exit as the task did."`
}

// detachOption is how to leave a terminal.
type detachOption struct {
	keys       *detacher
	DetachKeys string `empty:"" placeholder:"KEYS" default:"ctrl-\\,d" complete:"-" help:"The keys that leave the terminal and let the task go on, separated by commas; none if empty (default: ctrl-\\,d)."`
}

func (c *attachCmd) prepare(a *app) (err error) {
	if a.JSON {
		return usageError{"a terminal is for a person: --json does not go with it"}
	}
	c.keys, err = newDetacher(c.DetachKeys)
	return err
}

// Run attaches to the task until it has ended, or the person leaves it.
func (c *attachCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	s, err := t.Attach(in.first, a.window())
	switch {
	case errors.Is(err, weft.ErrNotRunning):
		return noneOf{fmt.Sprintf("%v: see weft result %s", err, taskspec.ShortTID(t.TID()))}
	case err != nil:
		return err
	}
	defer s.Close()
	status, err := a.converse(in, s, c.keys, a.stdin)
	if status == nil || err != nil {
		return err
	}
	return a.ended(status, c.ExitCode)
}

// talk connects this terminal to that of a task that was submitted just now,
// and says how the task has ended. It returns neither a status nor an error if
// the person leaves the task. Signals are as of passOn.
func (a *app) talk(in *interrupts, t *weft.Task, d *detacher, stdin *os.File) (*weft.TaskStatus, error) {
	opts := a.window()
	if t.IsNew() {
		opts.FromStart = true
	}
	s, err := t.Attach(in.first, opts)
	switch {
	case errors.Is(err, weft.ErrNotRunning) || in.interrupted():
		return a.follow(in, t, a.lines(), true)
	case err != nil:
		return nil, err
	}
	defer s.Close()
	to, failed := taskTarget(t), make(chan error, 2)
	interrupted := a.pass(in, in.interrupt, to.interrupt, "", failed)
	stopped := a.pass(in, in.stop, to.stop, "", failed)
	own := *in
	own.first = in.leave
	status, err := a.converse(&own, s, d, stdin)
	interrupted()
	stopped()
	if status == nil || err != nil {
		return nil, err
	}
	return status, t.Discard(in.leave)
}

// terminalEnv is the environment of what is submitted, with the size of its terminal.
func (a *app) terminalEnv(p *weft.Project) []string {
	env := p.Environ()
	if size := a.size(); size != (tty.Size{}) {
		env = append(env, fmt.Sprintf("LINES=%d", size.Rows), fmt.Sprintf("COLUMNS=%d", size.Cols))
	}
	return env
}

// window is the size of the terminal that shows the output, if one does.
func (a *app) window() weft.AttachOptions {
	size := a.size()
	return weft.AttachOptions{Rows: size.Rows, Cols: size.Cols}
}

// size is the size of the terminal, zero if there is none.
func (a *app) size() tty.Size {
	for _, f := range []*os.File{a.stdout.file, a.stdin} {
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil {
			return tty.Size{Rows: uint16(rows), Cols: uint16(cols)}
		}
	}
	return tty.Size{}
}

// fit gives the task's terminal the size of this one.
func (a *app) fit(s *weft.Session) {
	if size := a.size(); size != (tty.Size{}) {
		_ = s.Resize(size.Rows, size.Cols) // else the session has ended, which is seen
	}
}

// errDetached ends a conversation that the person has left.
var errDetached = errors.New("detached")

// converse connects this terminal to a session, until the task has ended, and
// says how. It returns no status if the person leaves the task before that.
// stdin is what to send: keys if it is a terminal; nil is nothing.
func (a *app) converse(in *interrupts, s *weft.Session, d *detacher, stdin *os.File) (*weft.TaskStatus, error) {
	restore := func() {}
	out := a.lines() // those of the task's terminal
	if stdin != nil && isTerminal(stdin) {
		out = a.stdout // which ends no lines itself then
		state, err := term.MakeRaw(int(stdin.Fd()))
		if err != nil {
			return nil, fmt.Errorf("set terminal: %w", err)
		}
		restore = sync.OnceFunc(func() { _ = term.Restore(int(stdin.Fd()), state) })
	} else {
		d = new(detacher) // what is no terminal has no keys
	}
	defer restore()
	a.atQuit.Store(new(func() {
		restore()
		a.note("task %s goes on", s.Task().TID())
	}))
	left := make(chan error, 3) // why the conversation has ended; nil: the task has
	modes := new(tty.Modes)
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		defer restoreOnPanic(restore)
		_, err := io.Copy(io.MultiWriter(out, modes), s)
		left <- err
	}()
	if stdin != nil {
		go func() {
			defer restoreOnPanic(restore)
			if typeAll(s, d, stdin) {
				left <- errDetached
			}
		}()
	}
	var status *weft.TaskStatus
	err := a.keepSize(in, s, left)
	if err == nil {
		status, err = s.Wait(in.first)
	}
	s.Close()
	if status == nil || status.Status != taskspec.StatusCompleted {
		a.tidyScreen(modes, printed)
	}
	restore()
	if status == nil {
		return nil, a.leave(s.Task(), err)
	}
	return status, err
}

// keepSize passes on every change of the size of this terminal, until left says
// why the conversation has ended, or a signal ends it.
func (a *app) keepSize(in *interrupts, s *weft.Session, left <-chan error) error {
	resized := make(chan os.Signal, 1)
	notifyResize(resized)
	defer signal.Stop(resized)
	a.fit(s) // its size may have changed since the session began
	for {
		select {
		case err := <-left:
			return err
		case <-in.first.Done():
			return context.Cause(in.first)
		case <-resized:
			a.fit(s)
		}
	}
}

// tidyScreen brings the terminal back from what a program has left it in that
// did not end by itself. printed is closed when nothing of it comes any more.
func (a *app) tidyScreen(modes *tty.Modes, printed <-chan struct{}) {
	if !a.stdout.terminal {
		return
	}
	select {
	case <-printed:
		_, _ = a.stdout.Write(modes.Reset())
	case <-time.After(screenPause): // nothing reads what is written there
	}
}

// screenPause is how long a terminal may take to show what it was sent.
const screenPause = time.Second

// lines is standard output for what ends its lines as a terminal shows them.
func (a *app) lines() io.Writer {
	if !a.stdout.terminal {
		return a.stdout
	}
	return a.stdout.through(&escaper{spell: passed})
}

// leave says that the task goes on, and how to come back to it.
func (a *app) leave(t *weft.Task, err error) error {
	a.note("detached: task %s goes on; come back with weft attach %s", t.TID(), taskspec.ShortTID(t.TID()))
	switch {
	case errors.Is(err, errDetached):
		return nil
	case errors.Is(err, errInterrupted):
		return exitOf(err)
	}
	return err
}

// restoreOnPanic gives back the terminal before the program says why it crashes.
func restoreOnPanic(restore func()) {
	if p := recover(); p != nil {
		restore()
		panic(p)
	}
}

// typeAll sends what stdin holds until its end, or that of the session. It
// reports whether the keys came that detach. The end of a pipe is passed on as
// the key that ends the input of a program.
func typeAll(s *weft.Session, d *detacher, stdin *os.File) (detached bool) {
	typed := make(chan []byte)
	go read(typed, stdin)
	var pause <-chan time.Time
	last := byte('\n')
	for {
		var pass []byte
		select {
		case p, more := <-typed:
			if !more {
				_, _ = s.Write(append(d.release(), endOfInput(last)...))
				return false
			}
			last = p[len(p)-1]
			pass, detached = d.take(p)
		case <-pause:
			pass = d.release()
		}
		if pause = nil; len(d.held) > 0 {
			pause = time.After(detachPause)
		}
		if len(pass) > 0 {
			if _, err := s.Write(pass); err != nil {
				return false // the task has ended
			}
		}
		if detached {
			return true
		}
	}
}

// read passes on what stdin holds, as it comes.
func read(typed chan<- []byte, stdin io.Reader) {
	defer close(typed)
	for {
		p := make([]byte, 4<<10)
		n, err := stdin.Read(p)
		if n > 0 {
			typed <- p[:n]
		}
		if err != nil {
			return
		}
	}
}

// endOfInput is Ctrl-D, as often as it takes after what was typed last: behind a
// line that has no end the first one only ends that.
func endOfInput(last byte) string {
	if last == '\n' {
		return "\x04"
	}
	return "\x04\x04"
}
