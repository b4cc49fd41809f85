package main

import (
	"cmp"
	"context"
	"io"

	"weft"
	"weft/taskspec"
)

// follow shows a task to its end, and says how it ended. The first interruption
// stops the task, the second leaves it.
func (a *app) follow(in *interrupts, t *weft.Task, stdout io.Writer) (*weft.TaskStatus, error) {
	return a.attend(in, t, func() (*weft.TaskStatus, error) { return a.deliver(in.second, t, stdout, a.stderr) })
}

// attend calls deliver, which shows the task to its end, and returns early at the
// second interruption, or if the first cannot stop the task so that this is seen.
func (a *app) attend(in *interrupts, t *weft.Task, deliver func() (*weft.TaskStatus, error)) (*weft.TaskStatus, error) {
	a.atQuit.Store(new(func() { a.note("task %s goes on", t.TID()) }))
	var s *weft.TaskStatus
	var err error
	over, unstopped := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(over)
		settled := a.stopOn(in, t, unstopped)
		s, err = deliver()
		settled()
	}()
	select {
	case <-over:
	case err := <-unstopped:
		a.note("%v", err)
		return nil, exitCode(exitInterrupted)
	case <-in.second.Done():
		// Whoever should read the output may not be reading: that is not waited
		// for.
		a.note("interrupted: task %s is being stopped", t.TID())
		return nil, exitCode(exitInterrupted)
	}
	if a.stdout.closed() && !in.interrupted() && (s == nil || !s.Status.Terminal()) {
		a.note("standard output was closed: task %s goes on", t.TID())
	}
	return s, err
}

// stopOn stops the task at the first interruption. The caller calls settled
// when the task is over; it returns when nothing is to be done any more, even
// if the terminal is gone and the task cannot be shown to its end. Why it cannot be
// stopped, or not seen to its end, goes to unstopped.
func (a *app) stopOn(in *interrupts, t *weft.Task, unstopped chan<- error) (settled func()) {
	done := make(chan struct{})
	undo := context.AfterFunc(in.first, func() {
		defer close(done)
		if isTerminal(a.stderr) {
			a.note("stopping task %s; press Ctrl-C again to leave it", t.TID())
		}
		if _, err := t.Stop(in.second); err != nil && in.second.Err() == nil {
			unstopped <- err
		}
	})
	return func() {
		if !undo() {
			<-done
		}
	}
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
