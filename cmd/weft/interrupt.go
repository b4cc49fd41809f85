package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interrupts are the signals by which a person, or the system, ends a command
// that waits: SIGINT, SIGTERM and SIGHUP.
type interrupts struct {
	first  context.Context // ends with the first signal
	second context.Context // ends with the second
}

// interruptible makes the signals end contexts from now on, with the cause
// errInterrupted, instead of the process.
func interruptible() *interrupts {
	first, cancelFirst := context.WithCancelCause(context.Background())
	second, cancelSecond := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		// Under nohup, or in the background of a script, a signal is ignored
		// because somebody wants it so.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		<-signals
		cancelFirst(errInterrupted)
		<-signals
		cancelSecond(errInterrupted)
	}()
	return &interrupts{first, second}
}

// interrupted reports whether a signal has come.
func (in *interrupts) interrupted() bool { return in.first.Err() != nil }

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
