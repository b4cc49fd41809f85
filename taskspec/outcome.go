package taskspec

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The events in weft.log.tasks that record the end of a task's work.
const (
	EventWorkCompleted      = "work_completed"
	EventWorkFailed         = "work_failed"
	EventWorkTimeout        = "work_timeout"
	EventWorkLimitViolation = "work_limit_violation"
	EventWorkCancelled      = "work_cancelled"
	EventWorkKilled         = "work_killed"
	EventWorkLost           = "work_lost"
)

// Return codes that a shell would give for the same end.
const (
	codeFunctionFailed = 1
	codeTimeout        = 124
	codeCannotExecute  = 126
	codeNotFound       = 127
	codeSignalBase     = 128
	codeKilled         = codeSignalBase + 9  // SIGKILL
	codeStopped        = codeSignalBase + 15 // SIGTERM
)

// maxErrorLine is how much of the command's last line an error quotes.
const maxErrorLine = 200

// Outcome is how a task ended, as its record, its result and its event tell
// it. The functions that return one are the only rows there are.
type Outcome struct {
	// Status is terminal.
	Status Status `json:"status"`
	// ReturnCode is nil where the task had none: it was lost or never ran.
	ReturnCode *int `json:"return_code"`
	// Signal names the signal the command died of by itself, else it is empty.
	Signal string `json:"signal,omitempty"`
	// Error says why, and is empty for a task that completed.
	Error string `json:"error,omitempty"`
	// LimitMeans is by what the limit was held that ended the task, such as
	// "cgroup" or "sampled", else it is empty.
	LimitMeans string `json:"limit_means,omitempty"`
	// Event is the name of the event that records this end.
	Event string `json:"event"`
}

// Exited is the end of a command that exited by itself; a function that
// returned a value counts as code 0. stderrTail is the end of what the command
// wrote to its standard error: its last line that is not blank becomes part of
// the error, its control characters made visible.
func Exited(code int, stderrTail string) Outcome {
	if code == 0 {
		return Outcome{Status: StatusCompleted, ReturnCode: new(0), Event: EventWorkCompleted}
	}
	text := fmt.Sprintf("command exited with %d", code)
	if line := lastLine(stderrTail); line != "" {
		text += ": " + visible(line, maxErrorLine)
	}
	return failed(code, text)
}

// Signaled is the end of a command that died of a signal nobody here sent it.
// name is the signal's name, such as "SIGSEGV"; where it is empty the number
// stands in.
func Signaled(number int, name string) Outcome {
	name = cmp.Or(name, fmt.Sprintf("signal %d", number))
	o := failed(codeSignalBase+number, "command was killed by "+name)
	o.Signal = name
	return o
}

// NotStarted is the end of a command that could not be executed, notFound where
// there is no such program. reason becomes the error.
func NotStarted(notFound bool, reason string) Outcome {
	if notFound {
		return failed(codeNotFound, reason)
	}
	return failed(codeCannotExecute, reason)
}

// Failed is the end of a function that returned an error or panicked.
func Failed(reason string) Outcome {
	return failed(codeFunctionFailed, reason)
}

// Rejected is the end of a task that could not be run at all, such as one whose
// spec is invalid. It has no return code, for nothing ran.
func Rejected(reason string) Outcome {
	return Outcome{Status: StatusFailed, Error: reason, Event: EventWorkFailed}
}

// TimedOut is the end of a task that took longer than d.
func TimedOut(d time.Duration) Outcome {
	return Outcome{
		Status:     StatusTimeout,
		ReturnCode: new(codeTimeout),
		Error:      "timed out after " + shortDuration(d),
		Event:      EventWorkTimeout,
	}
}

// Limited is the end of a task that went over a limit. text says which, as in
// "memory 140.2 MB > 100 MB", and means by what the limit was held.
func Limited(text, means string) Outcome {
	return Outcome{Status: StatusKilled, ReturnCode: new(codeKilled), Error: text, LimitMeans: means, Event: EventWorkLimitViolation}
}

// Stopped is the end of a task that was told to STOP.
func Stopped() Outcome {
	return Outcome{Status: StatusCancelled, ReturnCode: new(codeStopped), Error: "stopped", Event: EventWorkCancelled}
}

// Killed is the end of a task that was told to KILL.
func Killed() Outcome {
	return Outcome{Status: StatusKilled, ReturnCode: new(codeKilled), Error: "killed", Event: EventWorkKilled}
}

// Lost is the end of a task whose consumer died: nobody saw how its work ended,
// so it has no return code.
func Lost() Outcome {
	return Outcome{Status: StatusFailed, Error: "lost: consumer process died", Event: EventWorkLost}
}

// Policy returns what becomes of the message the task was working on: cleared
// if it completed, the stop policy of w after STOP and KILL, and the error
// policy of w after anything else. A limit kills too, but nobody asked for it,
// so it counts as an error.
func (o Outcome) Policy(w Work) Policy {
	switch o.Event {
	case EventWorkCompleted:
		return PolicyClear
	case EventWorkCancelled, EventWorkKilled:
		return w.StopPolicy()
	}
	return w.ErrorPolicy()
}

func failed(code int, text string) Outcome {
	return Outcome{Status: StatusFailed, ReturnCode: new(code), Error: text, Event: EventWorkFailed}
}

// lastLine returns the last line of text that is not blank, without the space
// around it. A carriage return ends a line too: progress bars use it.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexAny(text, "\r\n")+1:])
}

// shortDuration drops the zeros that Duration.String puts after a larger unit:
// "2m" for "2m0s", "1h" for "1h0m0s".
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
