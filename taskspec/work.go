package taskspec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
)

// Kind says who does the work of a task.
type Kind string

// The kinds of work.
const (
	// KindCommand is a process of its own: [Work.ProcessTarget].
	KindCommand Kind = "command"
	// KindFunction is a registered Go function: [Work.FunctionTarget].
	KindFunction Kind = "function"
)

// Policy says what becomes of the message a task was working on when it did
// not complete. The empty Policy means [PolicyKeep].
type Policy string

// The reserved policies.
const (
	// PolicyKeep leaves the message in the reserved queue.
	PolicyKeep Policy = "keep"
	// PolicyRequeue puts the message back into the inbox.
	PolicyRequeue Policy = "requeue"
	// PolicyClear deletes the message.
	PolicyClear Policy = "clear"
)

// The values of [Work.ReportingInterval].
const (
	ReportTransition = "transition" // the default: events only when the status changes
	ReportPoll       = "poll"       // poll_report events as well
)

// The values of [Work.OnManagerLoss].
const (
	LossContinue = "continue" // the default: the task goes on without its manager
	LossStop     = "stop"     // the task is stopped
)

// Work is what a task does and how. A nil pointer and an empty string mean the
// default; the methods of Work give the value with the default applied.
type Work struct {
	// Type is required.
	Type Kind `json:"type"`
	// ProcessTarget is the program of a command, a path or a name for PATH. It
	// is required for a command and not allowed for a function. Like args of a
	// command, working_dir and the values of env it may hold any byte but NUL: see
	// [RawString] for how that stands in JSON.
	ProcessTarget string `json:"process_target,omitempty"`
	// FunctionTarget is the registered name of a function. It is required for
	// a function and not allowed for a command.
	FunctionTarget string `json:"function_target,omitempty"`
	// Args follow the program in a command's argv, where only strings and
	// numbers are allowed, or are passed to the function, where any JSON value
	// is. [Decode] keeps numbers as [encoding/json.Number], digit by digit.
	Args []any `json:"args,omitzero"`
	// KeywordArgs are passed to a function; a command takes none.
	KeywordArgs map[string]any `json:"keyword_args,omitzero"`
	// Timeout is how long the work may take, counted from its start; 0 means that
	// there is no timeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// StopGrace is the time between SIGTERM and SIGKILL; nil means 5 s.
	StopGrace *time.Duration `json:"stop_grace,omitempty"`
	// Limits bound what the task may use.
	Limits Limits `json:"limits,omitzero"`
	// Env lies over the submitter's environment.
	Env map[string]string `json:"env,omitzero"`
	// EnvFrom names variables to be taken from the submitter's environment,
	// so that a secret need not stand in the spec.
	EnvFrom []string `json:"env_from,omitzero"`
	// WorkingDir is where the work runs; empty means the submitter's directory.
	WorkingDir string `json:"working_dir,omitempty"`
	// Interactive makes each inbox item a line of the command's input.
	Interactive bool `json:"interactive,omitempty"`
	// TTY gives the command a pseudo-terminal.
	TTY bool `json:"tty,omitempty"`
	// StreamOutput puts the output into the outbox in chunks as it is written. That of
	// an interactive task without a terminal always goes there: see [Streams].
	StreamOutput bool `json:"stream_output,omitempty"`
	// CleanupOnExit drains the inbox and the control queues at the end.
	CleanupOnExit *bool `json:"cleanup_on_exit,omitempty"`
	// Persistent makes the task take item after item from its inbox until it is
	// stopped. Each is worked on by a process of its own, to which timeout, limits
	// and output_size_limit_mb apply, and has a result of its own. One that fails
	// follows ReservedPolicyOnError, and the task goes on.
	Persistent bool `json:"persistent,omitempty"`
	// PollingInterval is the time between two samples; 0 means 1 s.
	PollingInterval time.Duration `json:"polling_interval,omitempty"`
	// ReportingInterval is [ReportTransition] or [ReportPoll].
	ReportingInterval string `json:"reporting_interval,omitempty"`
	// EnableProcessTitle shows the task in its consumer's process title.
	EnableProcessTitle *bool `json:"enable_process_title,omitempty"`
	// OutputSizeLimitMB is in MiB; a larger output spills to a file, and with
	// 0 every output does.
	OutputSizeLimitMB *float64 `json:"output_size_limit_mb,omitempty"`
	// ReservedPolicyOnError applies to an error, a timeout, a limit and a loss.
	ReservedPolicyOnError Policy `json:"reserved_policy_on_error,omitempty"`
	// ReservedPolicyOnStop applies to a stop and a kill.
	ReservedPolicyOnStop Policy `json:"reserved_policy_on_stop,omitempty"`
	// OnManagerLoss is [LossContinue] or [LossStop].
	OnManagerLoss string `json:"on_manager_loss,omitempty"`
	// WeftContext is the root of the project. It is empty in a template.
	WeftContext string `json:"weft_context,omitempty"`

	// Key stands for the task in its project: as long as the task is known, also
	// when it has ended, submitting the same again returns it instead of making
	// another. It has at most 200 characters; empty means that there is none.
	Key string `json:"key,omitempty"`

	// Isolation is [IsolationProcess], which is the default, or
	// [IsolationInline].
	Isolation string `json:"isolation,omitempty"`

	// Retry says when an attempt that did not complete is followed by another;
	// nil means never.
	Retry *RetryPolicy `json:"retry,omitempty"`
	// Delay is the least time between submission and the first attempt.
	Delay time.Duration `json:"delay_seconds,omitempty"`
	// Concurrency bounds how many tasks with the same concurrency key run at once; nil
	// means that nothing but the slots does.
	Concurrency *Concurrency `json:"concurrency,omitempty"`
}

// Limits bound what a task and all its processes may use together. A task that
// goes over one is ended. nil means no limit.
//
// Where a cgroup (version 2) can be had the kernel holds the memory. All else is
// looked at in samples, every 250 ms or at the polling interval if that is
// shorter: between two of them a task may go over a limit and come back.
type Limits struct {
	// MemoryMB is memory in MiB, at least 1. Without a cgroup it is what is
	// resident of all processes, with what several share counted once; swapped
	// memory does not count.
	MemoryMB *float64 `json:"memory_mb,omitempty"`
	// CPUPercent is percent of one core: from 1 to 100 times the cores. It is
	// broken when four of the last five polling intervals were over it.
	CPUPercent *float64 `json:"cpu_percent,omitempty"`
	// MaxFDs is open file descriptors, at least 1. The kernel gives no process one
	// whose number is above the limit, or above 255 if the limit is lower.
	MaxFDs *int `json:"max_fds,omitempty"`
	// MaxConnections is TCP connections and connected UDP sockets, at least 0.
	// It is advisory: a connection that comes and goes between two samples, or
	// belongs to a process of another user, is not seen.
	MaxConnections *int `json:"max_connections,omitempty"`
	// OutputMB is what is kept of the output in MiB, of both streams together; by default
	// that of the project. OutputPolicy says what happens to a task that prints more. Only
	// the tasks of a project have this limit.
	OutputMB     *float64     `json:"output_mb,omitempty"`
	OutputPolicy OutputPolicy `json:"output_policy,omitempty"`
}

// An OutputPolicy says what happens to a task that prints more than it may.
type OutputPolicy string

// The output policies.
const (
	// OutputTruncate, the default, keeps the beginning; the task goes on. The end of its
	// standard error is in its record in any case.
	OutputTruncate OutputPolicy = "truncate"
	// OutputKill kills the task, as other limits do.
	OutputKill OutputPolicy = "kill"
)

// Defaults of [Work], and the bounds that keep its numbers within what Go and
// the format can hold.
const (
	defaultGrace    = 5 * time.Second
	defaultPolling  = time.Second
	defaultOutputMB = 10

	// maxSeconds is 31 years. A start time plus that many nanoseconds still
	// fits an int64, so a deadline can never wrap round into the past.
	maxSeconds = 1e9
	// maxMB is a pebibyte, whose bytes still fit an int64.
	maxMB      = 1 << 30
	bytesPerMB = 1 << 20
)

// Where a function runs: in a process of its own, or as a goroutine of its host
// while that serves the project. A command always has a process of its own.
const (
	IsolationProcess = "process"
	IsolationInline  = "inline"
)

// Inline reports whether the work runs inside its host.
func (w Work) Inline() bool { return w.Isolation == IsolationInline }

// Grace returns the time between SIGTERM and SIGKILL, 5 s by default.
func (w Work) Grace() time.Duration { return max(valueOr(w.StopGrace, defaultGrace), 0) }

// Polling returns the time between two samples of the task's resources, 1 s by
// default.
func (w Work) Polling() time.Duration { return cmp.Or(max(w.PollingInterval, 0), defaultPolling) }

// OutputLimit returns how many bytes of output fit a result message before it
// spills, 10 MiB by default.
func (w Work) OutputLimit() int64 {
	mb := valueOr(w.OutputSizeLimitMB, defaultOutputMB)
	if !(mb > 0) { // NaN as well
		return 0
	}
	return int64(min(mb, maxMB) * bytesPerMB)
}

// Streams reports whether the output of the work is put into the outbox in chunks: if the spec says
// so, and of what is talked to by queues.
func Streams(w Work) bool { return w.StreamOutput || w.Interactive && !w.TTY }

// Cleanup reports whether the inbox and the control queues are drained at the
// end, true by default.
func (w Work) Cleanup() bool { return valueOr(w.CleanupOnExit, true) }

// Title reports whether the process title shows the task, true by default.
func (w Work) Title() bool { return valueOr(w.EnableProcessTitle, true) }

// Reports reports whether there are poll_report events, false by default.
func (w Work) Reports() bool { return w.ReportingInterval == ReportPoll }

// StopOnManagerLoss reports whether the task ends when its manager is gone,
// false by default.
func (w Work) StopOnManagerLoss() bool { return w.OnManagerLoss == LossStop }

// ErrorPolicy returns what becomes of the message after an error, a timeout, a
// limit or a loss: [PolicyKeep] by default.
func (w Work) ErrorPolicy() Policy { return cmp.Or(w.ReservedPolicyOnError, PolicyKeep) }

// StopPolicy returns what becomes of the message after a stop or a kill:
// [PolicyKeep] by default.
func (w Work) StopPolicy() Policy { return cmp.Or(w.ReservedPolicyOnStop, PolicyKeep) }

// Argv returns the argument vector of a command: the program as it is named in
// the spec, its args, then those of the work item. Numbers are spelled as the
// spec spelled them. It fails on an argument that is no string and no number,
// which [Spec.Validate] refuses too.
func (w Work) Argv(item ...string) ([]string, error) {
	argv := make([]string, 0, 1+len(w.Args)+len(item))
	argv = append(argv, w.ProcessTarget)
	for i, arg := range w.Args {
		text, ok := argText(arg)
		if !ok {
			return nil, fmt.Errorf("build argv: %s: %s", element("spec.args", i), badArgument)
		}
		argv = append(argv, text)
	}
	return append(argv, item...), nil
}

const badArgument = "a command takes only strings and numbers"

// argText returns the text of one argument of a command.
func argText(arg any) (string, bool) {
	switch arg := arg.(type) {
	case string:
		return arg, true
	case json.Number:
		return arg.String(), true
	case map[string]any: // of a spec that was decoded without its kind, such as that of a stage
		return rawText(arg)
	}
	// A spec built in Go may hold any numeric type; JSON decides its spelling,
	// so that the task gets the same text as if the spec had been a file.
	switch v := reflect.ValueOf(arg); {
	case v.IsValid() && (v.CanInt() || v.CanUint() || v.CanFloat()):
		text, err := json.Marshal(arg)
		return string(text), err == nil
	case v.Kind() == reflect.String:
		return v.String(), true
	}
	return "", false
}

// seconds turns seconds into a duration, the nearest that there is, which is 0 only
// for 0.
func seconds(s float64) time.Duration {
	ns := math.Round(s * float64(time.Second))
	switch {
	case !(ns < math.MaxInt64): // NaN as well
		return math.MaxInt64
	case ns <= math.MinInt64:
		return math.MinInt64
	case ns == 0 && s > 0:
		return 1
	case ns == 0 && s < 0:
		return -1
	}
	return time.Duration(ns)
}

func valueOr[T any](p *T, byDefault T) T {
	if p == nil {
		return byDefault
	}
	return *p
}
