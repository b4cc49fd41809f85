package attempt

import (
	"time"

	"weft/monitor"
	"weft/taskspec"
)

// An Ending decides how a running task ends. It is a pure function of what happened and
// when; its caller applies the actions.
type Ending struct {
	Timeout time.Duration // 0: none
	Grace   time.Duration
	KillAt  time.Time // when the grace period is over

	cause  cause             // why the task is being ended; the first cause counts, but a kill overrides it
	broken monitor.Violation // the violation, for the cause byLimit
	killed bool              // SIGKILL has been ordered
}

// cause is the reason for which a task is ended from outside.
type cause int

const (
	byItself cause = iota
	byTimeout
	byLimit
	byStop
	byKill
	byHost
)

// An Action is what to do with the task's processes.
type Action int

// The actions.
const (
	Nothing   Action = iota
	Terminate        // SIGTERM to the task's group
	Kill             // SIGKILL to the whole tree
)

// A Request asks for the end of a task, or of what it does now.
type Request string

// The requests.
const (
	NoRequest        Request = ""
	RequestStop      Request = "stop"      // SIGTERM, then, after the grace period, SIGKILL
	RequestKill      Request = "kill"      // SIGKILL at once
	RequestGiveUp    Request = "give up"   // as RequestStop, but because the program that runs the task ends
	RequestInterrupt Request = "interrupt" // SIGINT; the task decides what becomes of it
	// RequestCloseStdout and RequestCloseStderr close a stream: the next write to it fails.
	RequestCloseStdout Request = "close stdout"
	RequestCloseStderr Request = "close stderr"
)

// Request handles a request to end the task; those that only tell it something change nothing.
func (e Ending) Request(r Request, now time.Time) (Ending, Action) {
	switch r {
	case RequestStop:
		return e.stop(byStop, now)
	case RequestGiveUp:
		return e.stop(byHost, now)
	case RequestKill:
		e.cause = byKill
		return e.kill()
	}
	return e, Nothing
}

// Ends reports whether the request makes the end of the task be enforced.
func (r Request) Ends() bool { return r == RequestStop || r == RequestKill || r == RequestGiveUp }

// Interrupted is the reason that a function sees for [RequestInterrupt].
const Interrupted = "interrupted"

// Overtime handles the end of the task's timeout.
func (e Ending) Overtime(now time.Time) (Ending, Action) { return e.stop(byTimeout, now) }

// limit handles the violation of a limit.
func (e Ending) limit(v monitor.Violation, now time.Time) (Ending, Action) {
	if e.cause == byItself {
		e.broken = v
		if v.AtOnce {
			e.Grace = 0
		}
		return e.stop(byLimit, now)
	}
	if v.AtOnce {
		return e.kill() // it is being ended already, but not fast enough
	}
	return e, Nothing
}

// outOfMemory handles a task that the kernel has killed for its memory limit. No process is
// left to be ended.
func (e Ending) outOfMemory(limitMB, peakMB float64) Ending {
	if e.cause == byItself {
		e.cause, e.broken, e.Grace = byLimit, monitor.OutOfMemory(limitMB, peakMB), 0
	}
	return e
}

// GraceOver handles the end of the grace period.
func (e Ending) GraceOver() (Ending, Action) { return e.kill() }

func (e Ending) stop(why cause, now time.Time) (Ending, Action) {
	if e.cause != byItself {
		return e, Nothing
	}
	e.cause = why
	if e.Grace == 0 {
		return e.kill()
	}
	e.KillAt = now.Add(e.Grace)
	return e, Terminate
}

func (e Ending) kill() (Ending, Action) {
	if e.killed {
		return e, Nothing
	}
	e.killed, e.KillAt = true, time.Time{}
	return e, Kill
}

// requested reports whether a user has asked for the end of the task.
func (e Ending) requested() bool { return e.cause == byStop || e.cause == byKill }

// Reason returns why the task is being ended from outside, in a word or two.
func (e Ending) Reason() string { return e.Outcome(taskspec.Outcome{}).Error }

// Outcome returns the outcome of a task whose own process ended with exit.
func (e Ending) Outcome(exit taskspec.Outcome) taskspec.Outcome {
	switch e.cause {
	case byTimeout:
		return taskspec.TimedOut(e.Timeout)
	case byLimit:
		if e.Grace == 0 && exit.Signal != "SIGKILL" {
			return exit // it was over before the kill could reach it
		}
		return taskspec.Limited(e.broken.Text, e.broken.Means)
	case byHost:
		if exit.Status == taskspec.StatusCompleted {
			return exit
		}
		return taskspec.Interrupted()
	case byStop:
		return taskspec.Stopped()
	case byKill:
		return taskspec.Killed()
	default:
		return exit
	}
}
