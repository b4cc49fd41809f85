package runner

import (
	"time"

	"weft/monitor"
	"weft/taskspec"
)

// An ending decides how a running task ends. It is a pure function of what happened and
// when; task_linux.go applies its actions.
type ending struct {
	timeout time.Duration // 0: none
	grace   time.Duration

	cause  cause             // why the task is being ended; the first cause counts, but a kill overrides it
	broken monitor.Violation // the violation, for the cause byLimit
	killAt time.Time         // when the grace period is over
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
)

// action is what to do with the task's processes.
type action int

const (
	nothing   action = iota
	terminate        // SIGTERM to the task's group
	kill             // SIGKILL to the whole tree
)

// request handles a request to end the task.
func (e ending) request(r Request, now time.Time) (ending, action) {
	switch r {
	case RequestStop:
		return e.stop(byStop, now)
	case RequestKill:
		e.cause = byKill
		return e.kill()
	}
	return e, nothing
}

// overtime handles the end of the task's timeout.
func (e ending) overtime(now time.Time) (ending, action) { return e.stop(byTimeout, now) }

// limit handles the violation of a limit.
func (e ending) limit(v monitor.Violation, now time.Time) (ending, action) {
	if e.cause == byItself {
		e.broken = v
		if v.AtOnce {
			e.grace = 0
		}
		return e.stop(byLimit, now)
	}
	if v.AtOnce {
		return e.kill() // it is being ended already, but not fast enough
	}
	return e, nothing
}

// outOfMemory handles a task that the kernel has killed for its memory limit. No process is
// left to be ended.
func (e ending) outOfMemory(limitMB, peakMB float64) ending {
	if e.cause == byItself {
		e.cause, e.broken, e.grace = byLimit, monitor.OutOfMemory(limitMB, peakMB), 0
	}
	return e
}

// graceOver handles the end of the grace period.
func (e ending) graceOver() (ending, action) { return e.kill() }

func (e ending) stop(why cause, now time.Time) (ending, action) {
	if e.cause != byItself {
		return e, nothing
	}
	e.cause = why
	if e.grace == 0 {
		return e.kill()
	}
	e.killAt = now.Add(e.grace)
	return e, terminate
}

func (e ending) kill() (ending, action) {
	if e.killed {
		return e, nothing
	}
	e.killed, e.killAt = true, time.Time{}
	return e, kill
}

// requested reports whether a user has asked for the end of the task.
func (e ending) requested() bool { return e.cause == byStop || e.cause == byKill }

// reason returns why the task is being ended from outside, in a word or two.
func (e ending) reason() string { return e.outcome(taskspec.Outcome{}).Error }

// overdue handles a function that failed because its timeout had expired, just before the
// timer of this process.
func (e ending) overdue() ending {
	if e.cause == byItself {
		e.cause = byTimeout
	}
	return e
}

// outcome returns the outcome of a task whose own process ended with exit.
func (e ending) outcome(exit taskspec.Outcome) taskspec.Outcome {
	switch e.cause {
	case byTimeout:
		return taskspec.TimedOut(e.timeout)
	case byLimit:
		if e.grace == 0 && exit.Signal != "SIGKILL" {
			return exit // it was over before the kill could reach it
		}
		return taskspec.Limited(e.broken.Text, e.broken.Means)
	case byStop:
		return taskspec.Stopped()
	case byKill:
		return taskspec.Killed()
	default:
		return exit
	}
}
