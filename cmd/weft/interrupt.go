package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"weft"
)

// A step says how far signals have ended a command that waits for a task.
type step int

const (
	unsignaled   step = iota
	interrupting      // the task gets SIGINT
	stopping          // it gets SIGTERM and, after its grace period, SIGKILL
	leaving           // it is not waited for any more
)

// after returns the step to which a signal leads: SIGINT, that is Ctrl-C, to the next,
// SIGTERM to the end of the task, and SIGHUP, of a terminal that closes, leaves it.
func (s step) after(sig os.Signal) step {
	switch {
	case sig == syscall.SIGHUP:
		return leaving
	case sig == syscall.SIGTERM && s < stopping:
		return stopping
	}
	return min(s+1, leaving)
}

// interrupts are the signals by which a person, or the system, ends a command that waits:
// SIGINT, SIGTERM and SIGHUP. The contexts end with a signalError as their cause.
type interrupts struct {
	first context.Context // ends with the first signal, whichever it is
	// These end when their step is reached. One that is passed over does not end.
	interrupt, stop, leave context.Context
}

// interruptible makes the signals end contexts from now on instead of the process.
func interruptible() *interrupts {
	var in interrupts
	var cancelFirst context.CancelCauseFunc
	var reach [leaving + 1]context.CancelCauseFunc
	in.first, cancelFirst = context.WithCancelCause(context.Background())
	in.interrupt, reach[interrupting] = context.WithCancelCause(context.Background())
	in.stop, reach[stopping] = context.WithCancelCause(context.Background())
	in.leave, reach[leaving] = context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, int(leaving))
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		// Under nohup, or in the background of a script, a signal is ignored
		// because somebody wants it so.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		for at := unsignaled; at < leaving; {
			s := <-signals
			at = at.after(s)
			reach[at](signalError{s})
			cancelFirst(signalError{s})
		}
	}()
	return &in
}

// interrupted reports whether a signal has come.
func (in *interrupts) interrupted() bool { return in.first.Err() != nil }

// cause is the signal that has led to the last step, nil if none has come.
func (in *interrupts) cause() error {
	for _, ctx := range []context.Context{in.leave, in.stop, in.interrupt} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// errInterrupted is what every signalError is.
var errInterrupted = errors.New("interrupted")

// A signalError is the cause of a context that a signal has ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string {
	switch e.Signal {
	case syscall.SIGTERM:
		return "terminated"
	case syscall.SIGHUP:
		return "hung up"
	}
	return errInterrupted.Error()
}

// Is reports whether target is errInterrupted.
func (e signalError) Is(target error) bool { return target == errInterrupted }

// exitOf returns the exit code of a program that the signal in err has ended.
func exitOf(err error) exitCode {
	if e, ok := errors.AsType[signalError](err); ok {
		if s, ok := e.Signal.(syscall.Signal); ok {
			return exitCode(128 + int(s))
		}
	}
	return exitInterrupted
}

// A target is what a command waits for that its signals are passed on to.
type target struct {
	name            string // task 1790…
	interrupt, stop func(context.Context) error
}

// taskTarget is a task as a target.
func taskTarget(t *weft.Task) target {
	return target{
		name: "task " + t.TID(),
		interrupt: func(ctx context.Context) error {
			if err := t.Interrupt(ctx); !errors.Is(err, weft.ErrNotRunning) {
				return err
			}
			return nil
		},
		stop: func(ctx context.Context) error {
			_, err := t.Stop(ctx)
			return err
		},
	}
}

// passOn passes signals on to the target while deliver, which shows it to its end, runs:
// the first Ctrl-C interrupts it, the second stops it, the third leaves it; SIGTERM
// stops it, and SIGHUP leaves it. It returns true when deliver has returned and nothing is
// to be done any more, even if the terminal is gone and the target cannot be shown to its
// end. It returns false early if the target is left, which it says, or cannot be ended so
// that this is seen.
func (a *app) passOn(in *interrupts, to target, deliver func()) (over bool) {
	a.atQuit.Store(new(func() { a.note("%s goes on", to.name) }))
	done, failed := make(chan struct{}), make(chan error, 2)
	go func() {
		defer close(done)
		interrupted := a.pass(in, in.interrupt, to.interrupt, "interrupting "+to.name+"; press Ctrl-C again to stop it", failed)
		stopped := a.pass(in, in.stop, to.stop, "stopping "+to.name+"; press Ctrl-C again to leave it", failed)
		deliver()
		interrupted()
		stopped()
	}()
	select {
	case <-done:
		return true
	case err := <-failed:
		a.note("%v", err)
	case <-in.leave.Done():
		// Whoever should read the output may not be reading: that is not waited
		// for.
		does := "goes on"
		if in.stop.Err() != nil {
			does = "is being stopped"
		}
		a.note("%v: %s %s", in.cause(), to.name, does)
	}
	return false
}

// pass calls do when the step has been reached, and passes on its error. The caller calls
// settled when do need not be called any more; it returns when do has.
func (a *app) pass(in *interrupts, reached context.Context, do func(context.Context) error, says string, failed chan<- error) (settled func()) {
	done := make(chan struct{})
	undo := context.AfterFunc(reached, func() {
		defer close(done)
		if says != "" && isTerminal(a.stderr) {
			a.note("%s", says)
		}
		if err := do(weft.WithReason(in.leave, context.Cause(reached).Error())); err != nil && in.leave.Err() == nil {
			failed <- err
		}
	})
	return func() {
		if !undo() {
			<-done
		}
	}
}

// exitQuit is how a program ends that SIGQUIT has ended.
const exitQuit = 128 + int(syscall.SIGQUIT)

// leaveOnQuit makes SIGQUIT end the program, in the place of the runtime, which would
// print what all goroutines do. Tasks go on.
func (a *app) leaveOnQuit() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	go func() {
		<-quit
		if before := a.atQuit.Load(); before != nil {
			(*before)()
		}
		os.Exit(exitQuit)
	}()
}

// survivePipe makes writing to a standard output that has no reader any more
// return an error instead of ending the process. The signal must not be
// ignored: tasks would inherit that.
func survivePipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
