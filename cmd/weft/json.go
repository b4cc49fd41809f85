package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"weft"
	"weft/taskspec"
)

// encode is v as one line of JSON, without the escapes that are there for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// An object is an object in JSON, its fields in this order.
type object []field

type field struct {
	name  string
	value any
}

// MarshalJSON writes the fields.
func (o object) MarshalJSON() ([]byte, error) {
	text := []byte("{")
	for i, f := range o {
		value, err := encode(f.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(fmt.Appendf(text, "%q:", f.name), value...)
	}
	return append(text, '}'), nil
}

// printJSON prints v as one line.
func (a *app) printJSON(v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	a.stdout.Printf("%s\n", a.shownJSON(line))
	return a.stdout.err
}

// emit prints the answer of a command: value with --json, else a text.
func (a *app) emit(value any, format string, args ...any) error {
	if a.JSON {
		return a.printJSON(value)
	}
	a.stdout.Printf(format, args...)
	return a.stdout.err
}

// taskLine is a task in a list. Times are nanoseconds since 1970.
type taskLine struct {
	TID         string          `json:"tid"`
	Name        string          `json:"name"`
	Status      taskspec.Status `json:"status"`
	ReturnCode  *int            `json:"return_code"`
	Error       *string         `json:"error"`
	PID         *int            `json:"pid"`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"max_attempts,omitempty"`
	NotBefore   *int64          `json:"not_before,omitempty"`
	Paused      bool            `json:"paused,omitempty"`
	WaitingFor  string          `json:"waiting_for,omitempty"` // a queue
	Items       *taskItems      `json:"items,omitempty"`
	Service     string          `json:"service,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	CreatedAt   *int64          `json:"created_at"`
	StartedAt   *int64          `json:"started_at"`
	CompletedAt *int64          `json:"completed_at"`
	Stages      []stageLine     `json:"stages,omitempty"` // of a pipeline, in the full form
}

func newTaskLine(s *weft.TaskStatus) taskLine {
	return taskLine{
		TID:         s.TID,
		Name:        s.Name,
		Status:      s.Status,
		ReturnCode:  s.ReturnCode,
		Error:       known(s.Error),
		PID:         known(s.PID),
		Attempt:     s.Attempt,
		MaxAttempts: s.MaxAttempts,
		NotBefore:   nanoseconds(s.NotBefore),
		Paused:      s.Paused,
		WaitingFor:  s.WaitingFor,
		Items:       newTaskItems(s),
		Service:     s.Service,
		Tags:        s.Tags,
		CreatedAt:   nanoseconds(s.Created),
		StartedAt:   nanoseconds(s.Started),
		CompletedAt: nanoseconds(s.Completed),
	}
}

// taskResult is a task that has ended, with what it wrote.
type taskResult struct {
	TID             string          `json:"tid"`
	Status          taskspec.Status `json:"status"`
	ReturnCode      *int            `json:"return_code"`
	Output          any             `json:"output"`
	Stderr          any             `json:"stderr"`
	StderrTruncated bool            `json:"stderr_truncated,omitempty"`
	Error           *string         `json:"error"`
	LimitMeans      string          `json:"limit_means,omitempty"`
	Narrowed        string          `json:"narrowed,omitempty"`
	Details         string          `json:"details,omitempty"`
	Metrics         taskMetrics     `json:"metrics"`
}

// taskMetrics is what a task used.
type taskMetrics struct {
	Time       float64 `json:"time"` // seconds from start to end
	CPUSeconds float64 `json:"cpu_seconds"`
	PeakMB     float64 `json:"peak_memory_mb"`

	// Left out if not measured.
	PeakCPU         float64 `json:"peak_cpu_percent,omitempty"`
	PeakFDs         int     `json:"peak_fds,omitempty"`
	PeakConnections int     `json:"peak_net_connections,omitempty"`
}

// newTaskResult is the JSON form of a result that has not been taken.
func newTaskResult(r *weft.Result) taskResult {
	v := statusResult(&r.TaskStatus)
	switch {
	case r.Large != nil:
		v.Output = r.Large
	case r.Output != nil:
		v.Output = textOrBytes(r.Output)
	}
	return v
}

// statusResult is a result without the output.
func statusResult(s *weft.TaskStatus) taskResult {
	return taskResult{
		TID:             s.TID,
		Status:          s.Status,
		ReturnCode:      s.ReturnCode,
		Stderr:          textOrBytes(s.Stderr),
		StderrTruncated: s.StderrTruncated,
		Error:           known(s.Error),
		LimitMeans:      s.LimitMeans,
		Narrowed:        s.Narrowed,
		Details:         s.Details,
		Metrics: taskMetrics{
			Time:            elapsed(s).Seconds(),
			CPUSeconds:      s.CPUSeconds,
			PeakMB:          s.PeakMB,
			PeakCPU:         s.PeakCPU,
			PeakFDs:         s.PeakFDs,
			PeakConnections: s.PeakConnections,
		},
	}
}

// taskDetails is all there is to know about one task.
type taskDetails struct {
	taskResult
	Name        string        `json:"name"`
	PID         *int          `json:"pid"`
	Attempt     int           `json:"attempt"`
	MaxAttempts int           `json:"max_attempts,omitempty"`
	NotBefore   *int64        `json:"not_before,omitempty"`
	WaitingFor  string        `json:"waiting_for,omitempty"`
	Outbox      string        `json:"outbox,omitempty"` // that the spec names
	Items       *taskItems    `json:"items,omitempty"`
	ParentTID   string        `json:"parent_tid,omitempty"`
	Key         string        `json:"key,omitempty"`
	Service     string        `json:"service,omitempty"`
	Tags        []string      `json:"tags,omitempty"`
	Progress    *taskProgress `json:"progress,omitempty"`
	Stages      []stageLine   `json:"stages,omitempty"` // of a pipeline
	CreatedAt   *int64        `json:"created_at"`
	StartedAt   *int64        `json:"started_at"`
	CompletedAt *int64        `json:"completed_at"`
	// Those that were followed by others.
	Attempts []taskAttempt `json:"attempts,omitempty"`
}

// taskAttempt is an attempt at a task that was followed by another.
type taskAttempt struct {
	Attempt     int             `json:"attempt"`
	Status      taskspec.Status `json:"status"`
	ReturnCode  *int            `json:"return_code"`
	Error       string          `json:"error"`
	StartedAt   *int64          `json:"started_at"`
	CompletedAt *int64          `json:"completed_at"`
}

// taskProgress is how far a function is, by its own account.
type taskProgress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0: not known
	Note  string `json:"note"`
}

func newTaskProgress(s *weft.TaskStatus) *taskProgress {
	return known(taskProgress{s.Done, s.Total, s.Note})
}

// newTaskDetails is a task as it stands, with its output if it has ended and
// that has not been consumed.
func newTaskDetails(ctx context.Context, t *weft.Task, s *weft.TaskStatus) (taskDetails, error) {
	v := taskDetails{
		taskResult:  statusResult(s),
		Name:        s.Name,
		PID:         known(s.PID),
		Attempt:     s.Attempt,
		MaxAttempts: s.MaxAttempts,
		NotBefore:   nanoseconds(s.NotBefore),
		WaitingFor:  s.WaitingFor,
		Outbox:      s.Outbox,
		Items:       newTaskItems(s),
		ParentTID:   s.ParentTID,
		Key:         s.Key,
		Service:     s.Service,
		Tags:        s.Tags,
		Progress:    newTaskProgress(s),
		CreatedAt:   nanoseconds(s.Created),
		StartedAt:   nanoseconds(s.Started),
		CompletedAt: nanoseconds(s.Completed),
	}
	var err error
	if v.Stages, err = stageLines(ctx, t); err != nil {
		return v, err
	}
	past, err := t.PastAttempts(ctx)
	if err != nil {
		return v, err
	}
	for _, was := range past {
		v.Attempts = append(v.Attempts, taskAttempt{
			was.Attempt, was.Status, was.ReturnCode, was.Error, nanoseconds(was.Started), nanoseconds(was.Completed),
		})
	}
	if !s.Status.Terminal() {
		return v, nil
	}
	r, err := t.Peek(ctx)
	if err == nil {
		v.taskResult = newTaskResult(r)
	}
	if errors.Is(err, weft.ErrTaken) {
		err = nil
	}
	return v, err
}

// textOrBytes is what a task wrote: a string, or an object that holds base64
// where it is not text.
func textOrBytes(p []byte) any {
	if utf8.Valid(p) {
		return string(p)
	}
	return struct {
		Type     string `json:"type"`
		Encoding string `json:"encoding"`
		Data     string `json:"data"`
	}{"bytes", "base64", base64.StdEncoding.EncodeToString(p)}
}

// known is v, or null in JSON where v is zero because there is no such thing.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// nanoseconds is a time since 1970, or null if it has not come.
func nanoseconds(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixNano())
}
