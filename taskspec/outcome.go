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
	EventWorkInterrupted    = "work_interrupted"
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

const (
	// maxErrorLine is how much of the command's last line an error quotes.
	maxErrorLine = 200
	// maxError is how many characters of a function's error are its task's.
	maxError = 1000
	// maxDetails bounds the details of an end, in bytes: they are in the task's
	// record, which many readers read whole.
	maxDetails = 64 << 10
)

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
	// Details are what does not fit the one line of Error: the stack of a
	// function that panicked, or all of an error of several lines. At most 64 KiB.
	Details string `json:"details,omitempty"`
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
	reason = visible(reason, maxError) // it names what the user named
	if notFound {
		return failed(codeNotFound, reason)
	}
	return failed(codeCannotExecute, reason)
}

// Failed is the end of a function that returned an error. Of an error that is
// more than a line, all becomes the details.
func Failed(reason string) Outcome {
	o := failed(codeFunctionFailed, visible(strings.TrimSpace(reason), maxError))
	if o.Error != reason {
		o.Details = bounded(reason)
	}
	if o.Error == "" {
		o.Error = "function returned an error without text"
	}
	return o
}

// Panicked is the end of a function that panicked with this value, and where.
func Panicked(value, stack string) Outcome {
	o := failed(codeFunctionFailed, "panic: "+visible(strings.TrimSpace(value), maxError))
	o.Details = bounded(stack)
	return o
}

// FunctionExited is the end of a function whose process exited with code before
// the function had returned. It never completes its task, so a code of 0 counts
// as 1. stderrTail is the end of what the process wrote to its standard error:
// what the Go runtime says of its end there becomes part of the error, and the
// details; else the last line does.
func FunctionExited(code int, stderrTail string) Outcome {
	text := fmt.Sprintf("function exited with %d without returning", code)
	crash := crashIn(stderrTail)
	line := lastLine(stderrTail)
	if crash != "" {
		line, _, _ = strings.Cut(crash, "\n")
	}
	if line != "" {
		text += ": " + visible(line, maxErrorLine)
	}
	o := failed(max(code, codeFunctionFailed), text)
	o.Details = bounded(crash)
	return o
}

// FunctionSignaled is [Signaled] for the process of a function.
func FunctionSignaled(number int, name string) Outcome {
	o := Signaled(number, name)
	o.Error = "function was killed by " + o.Signal
	return o
}

// crashIn returns what the Go runtime wrote of a crash, to the end of the text,
// or nothing.
func crashIn(text string) string {
	first := -1
	for _, sign := range []string{"panic: ", "fatal error: ", "runtime: out of memory"} {
		i := strings.Index("\n"+text, "\n"+sign)
		if i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	return strings.TrimSpace(text[first:])
}

// bounded is as much of text as details may have.
func bounded(text string) string {
	return strings.ToValidUTF8(Head(text, maxDetails), "\uFFFD")
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

// Interrupted is the end of an attempt whose program ended, in good order, before its work
// did. It does not count against the attempts of a [RetryPolicy].
func Interrupted() Outcome {
	return Outcome{Status: StatusFailed, Error: "interrupted: the program that ran it ended", Event: EventWorkInterrupted}
}

// InStage is the end of a pipeline one of whose stages, with this name, has ended
// with o.
func (o Outcome) InStage(name string) Outcome {
	o.Error = fmt.Sprintf("stage %s: %s", visible(name, maxErrorLine), cmp.Or(o.Error, string(o.Status)))
	return o
}

// Policy returns what becomes of the message the task was working on: cleared
// if it completed, the stop policy of w after STOP and KILL, and the error
// policy of w after anything else. A limit kills too, but nobody asked for it,
// so it counts as an error.
func (o Outcome) Policy(w Work) Policy {
	switch {
	case o.Event == EventWorkCompleted:
		return PolicyClear
	case o.Ordered():
		return w.StopPolicy()
	}
	return w.ErrorPolicy()
}

// Ordered reports whether somebody asked for this end, by STOP or KILL.
func (o Outcome) Ordered() bool {
	return o.Event == EventWorkCancelled || o.Event == EventWorkKilled
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
