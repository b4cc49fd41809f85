package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"syscall"

	"weft"
	"weft/taskspec"
)

// follow shows a task to its end, and says how it ended. Signals are as of passOn. Where
// nobody reads a stream any more, the task's is closed, unless keepGoing.
func (a *app) follow(in *interrupts, t *weft.Task, stdout io.Writer, keepGoing bool) (*weft.TaskStatus, error) {
	stderr := io.Writer(a.stderr)
	if !keepGoing && t.IsNew() {
		stdout = &stream{to: stdout, gone: func() { a.tell(in, t.CloseStdout) }}
		stderr = &stream{to: stderr, gone: func() { a.tell(in, t.CloseStderr) }}
	}
	return a.attend(in, t, func() (*weft.TaskStatus, error) { return a.deliver(in.leave, t, stdout, stderr) })
}

// tell calls do, whose error is not worth more than a note.
func (a *app) tell(in *interrupts, do func(context.Context) error) {
	if err := do(in.leave); err != nil && in.leave.Err() == nil {
		a.note("%v", err)
	}
}

// A stream passes on what a task writes, and drops it once nobody reads it any more.
type stream struct {
	to      io.Writer
	gone    func() // is called then
	dropped bool
}

func (s *stream) Write(p []byte) (int, error) {
	if s.dropped {
		return len(p), nil
	}
	n, err := s.to.Write(p)
	if !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	s.dropped = true
	s.gone()
	return len(p), nil
}

// attend calls deliver, which shows the task to its end, while signals are passed on to it.
func (a *app) attend(in *interrupts, t *weft.Task, deliver func() (*weft.TaskStatus, error)) (*weft.TaskStatus, error) {
	var s *weft.TaskStatus
	var err error
	if !a.passOn(in, taskTarget(t), func() { s, err = deliver() }) {
		return nil, exitOf(in.cause())
	}
	if a.stdout.closed() && !in.interrupted() && (s == nil || !s.Status.Terminal()) {
		a.note("standard output was closed: task %s goes on", t.TID())
	}
	return s, err
}

// deliver waits for the end of a task and prints what it writes: its output as
// it comes, or all in one object. The result is taken when that has been
// written, and left where it is if that could not be.
func (a *app) deliver(ctx context.Context, t *weft.Task, stdout, stderr io.Writer) (*weft.TaskStatus, error) {
	if a.JSON {
		return a.deliverJSON(ctx, t, true)
	}
	s, err := t.Output(ctx, stdout, stderr)
	if err == nil {
		err = a.stdout.finish()
	}
	if err != nil {
		return s, err
	}
	return s, t.Discard(ctx)
}

// deliverJSON waits for the end of a task and prints its result as an object.
// A large output is only described, and so not taken.
func (a *app) deliverJSON(ctx context.Context, t *weft.Task, take bool) (*weft.TaskStatus, error) {
	r, err := a.printResult(ctx, t)
	if r == nil {
		return nil, err
	}
	if err == nil && take && r.Large == nil {
		err = t.Discard(ctx)
	}
	return &r.TaskStatus, err
}

// printResult waits for the end of a task, prints its result as an object, and
// leaves it.
func (a *app) printResult(ctx context.Context, t *weft.Task) (*weft.Result, error) {
	r, err := t.Peek(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.printJSON(r); err != nil {
		return r, err
	}
	return r, a.stdout.Flush()
}

// ended is the exit code for a task that has ended, as the task's own if own is
// true, after saying why it did not complete.
func (a *app) ended(s *weft.TaskStatus, own bool) error {
	if s.Status == taskspec.StatusCompleted {
		return nil
	}
	if !a.JSON {
		a.note("%s%s", cmp.Or(s.Error, string(s.Status)), inBrackets(" (attempt ", attemptsText(s, s.Completed)))
	}
	switch {
	case own && s.ReturnCode != nil:
		return exitCode(*s.ReturnCode)
	case s.Status == taskspec.StatusTimeout:
		return exitCode(exitTimeout)
	}
	return exitCode(exitError)
}
