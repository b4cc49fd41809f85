package weft

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/jsonobject"
	"weft/internal/ledger"
	"weft/taskspec"
)

// A Result is how a task ended and what it wrote to its standard output.
type Result struct {
	TaskStatus
	// Output is all of the standard output. An output larger than the task's
	// output_size_limit_mb is not held in memory: then Output is nil and Large
	// describes it, and [Task.Output] reads it before the result is consumed.
	Output []byte
	Large  *LargeOutput
}

// newResult is the result of a task without its output.
func newResult(l *ledger.Task) *Result {
	r := new(Result)
	r.fill(l)
	return r
}

// Run is [Project.RunContext] with a context that does not end.
func (p *Project) Run(spec *taskspec.Spec, opts ...SubmitOptions) (*Result, error) {
	return p.RunContext(context.Background(), spec, opts...)
}

// RunContext submits a task, waits for its end and consumes its result. If the task did
// not complete, RunContext returns the result and a *[TaskError].
//
// If ctx ends first, RunContext stops the task, as exec.CommandContext ends its
// command, and returns ctx's error when the task has ended. It also stops a task that
// held the key already. If the result of that task has been consumed, RunContext returns
// how the task ended and [ErrResultConsumed].
func (p *Project) RunContext(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOptions) (*Result, error) {
	t, err := p.SubmitContext(ctx, spec, opts...)
	return runToEnd(ctx, t, err)
}

// runToEnd is the rest of [Project.RunContext], for what a submission has returned.
func runToEnd(ctx context.Context, t *Task, err error) (*Result, error) {
	if t == nil {
		return nil, err
	}
	var res *Result
	if err == nil {
		res, err = t.Result(ctx)
	}
	if err != nil && ctx.Err() != nil { // perhaps while a manager was started that has given it out already
		_, stopErr := t.Stop(context.WithoutCancel(ctx))
		return nil, errors.Join(context.Cause(ctx), stopErr)
	}
	if err != nil {
		return res, err
	}
	return res, res.Err()
}

// Result waits for the end of the task, returns its result and consumes it. That the task did
// not complete is no error of Result, but [TaskStatus.Err] of what it returns. Later calls
// return [ErrResultConsumed], with how the task ended. A task that never ran has no output.
// Cancelling ctx ends the wait.
//
// If this program submitted the task while it served, the function runs inline
// ([taskspec.IsolationInline]), and Result waits when the function returns, then the
// transaction that ends the task records the result as consumed, and there is no message.
//
// A large output is only described: [Task.Discard] consumes it.
func (t *Task) Result(ctx context.Context) (*Result, error) {
	defer function.Waits(ctx)()
	if t.local != nil {
		if l, value, taken := t.local.Take(ctx); taken {
			res := newResult(l)
			res.Output = value
			return res, nil
		}
	}
	l, err := awaitTask(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case l.Output.Form == ledger.FormFile:
		return peek(ctx, t, l)
	case l.Output.Form == ledger.FormNone || !ledger.IsOnlyResult(l):
		res, err := peek(ctx, t, l)
		if err != nil {
			return res, err
		}
		return res, t.Discard(ctx)
	}
	res := newResult(l)
	res.Output, err = consumeOutput(ctx, t, l)
	return res, err
}

// consumeOutput takes a result that is kept in a message, the only one of its task.
func consumeOutput(ctx context.Context, t *Task, l *ledger.Task) ([]byte, error) {
	var ms []broker.Message
	err := t.project.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		ms, err = ledger.TakeOnly(tx, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.tid, err)
	}
	if len(ms) == 0 {
		return output(ctx, t, l) // that of an attempt which was followed by another lies aside
	}
	return decodeOutput(t, l, ms[0].Body)
}

// PendingResults returns the tasks of a project that have ended and whose results
// have not been consumed, oldest first, and then such pipelines: at most limit, all if
// limit is 0. more is the number of further queues of results.
func (p *Project) PendingResults(ctx context.Context, limit int) (tasks []*Task, more int, err error) {
	// A result is a message; looking for its queue spares looking at tasks whose
	// results are gone, which are most.
	for _, pattern := range []string{"T*.outbox", "P*.outbox"} {
		outboxes, err := broker.Glob(pattern)
		if err != nil {
			return nil, 0, err
		}
		for name, err := range p.broker.Queues(outboxes).Names(ctx) {
			if err != nil {
				return nil, 0, fmt.Errorf("find results: %w", err)
			}
			if limit > 0 && len(tasks) == limit {
				more++
				continue
			}
			t := &Task{project: p, tid: strings.TrimSuffix(name[1:], ".outbox")}
			switch l, err := loadTask(ctx, t); {
			case errors.Is(err, ErrNoTask): // a queue of the user's
			case errors.Is(err, broker.ErrDamaged):
			case err != nil:
				return nil, 0, fmt.Errorf("find results: %w", err)
			case l.Output.Form != ledger.FormNone:
				tasks = append(tasks, t)
			}
		}
	}
	return tasks, more, nil
}

// output reads a result that is kept in its message.
func output(ctx context.Context, t *Task, l *ledger.Task) ([]byte, error) {
	body, err := resultMessage(ctx, t, l)
	if err != nil {
		return nil, err
	}
	return decodeOutput(t, l, body)
}

// decodeOutput is the output that a message holds.
func decodeOutput(t *Task, l *ledger.Task, body string) ([]byte, error) {
	if l.Output.Form == ledger.FormText {
		return []byte(body), nil
	}
	var v struct {
		Data string `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return nil, fmt.Errorf("read result of task %s: %w", t.tid, err)
	}
	return base64.StdEncoding.DecodeString(v.Data)
}

// resultMessage looks for the message that is the result of a task. The error is
// [ErrResultConsumed] if it is gone.
func resultMessage(ctx context.Context, t *Task, l *ledger.Task) (body string, err error) {
	found := false
	err = t.project.broker.View(ctx, func(r broker.Reader) (err error) {
		body, found, err = ledger.ResultMessage(r, l)
		return err
	})
	switch {
	case err != nil || found:
	case l.Result == 0 && l.Stage == 0 && l.Output.Form != ledger.FormNone:
		err = fmt.Errorf("another version of weft recorded its end, and this one cannot tell which message of %s is its result", l.Queues().Outbox)
	default:
		err = ErrResultConsumed
	}
	if err != nil {
		return "", fmt.Errorf("task %s: %w", t.tid, err)
	}
	return body, nil
}

// Discard consumes the result of a task that has ended: its message leaves the outbox, and
// so do the chunks of its output (stream_output) that have not been read.
// Call it when what [Task.Output] wrote is safe. Discarding twice is no error. What the
// task has printed is kept until [System.Tidy] removes the task.
//
// A result in a queue that the spec names (io.outputs.outbox) is for the readers of that
// queue, and stays there.
func (t *Task) Discard(ctx context.Context) error {
	return discardAll(ctx, t.project, []*Task{t})
}

// Output writes what the task prints to stdout and stderr, from the beginning,
// as it is produced, until the task has ended, and then says how it ended. It
// consumes nothing: see [Task.Discard]. Either writer may be nil. Cancelling ctx ends
// the copying and leaves the task alone. Of a task with a retry policy only the
// last attempt is written, and as long as another may follow, when it has ended. Of
// a pipeline it is the standard output of the last stage, and the standard error of
// all of them.
//
// An error of a writer is returned as it is. If the result has been consumed, what
// is left of the output is written and [ErrResultConsumed] returned with the status.
func (t *Task) Output(ctx context.Context, stdout, stderr io.Writer) (*TaskStatus, error) {
	out := newStreams(t, stdout, stderr)
	out.last = true
	defer out.close()
	l, err := awaitTask(ctx, t, out.copy)
	if errors.Is(err, errPipeline) {
		return pipelineOutput(ctx, t, stdout, stderr)
	}
	if err != nil {
		return nil, err
	}
	return newStatus(l), out.finish(ctx, l)
}

// OutputSoFar is [Task.Output] without waiting: it writes what the task has
// printed by now, and returns its status. What a running task printed in its
// last 20 ms may be missing.
func (t *Task) OutputSoFar(ctx context.Context, stdout, stderr io.Writer) (*TaskStatus, error) {
	out := newStreams(t, stdout, stderr)
	defer out.close()
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	switch err := out.copy(l); {
	case errors.Is(err, errPipeline):
		return newStatus(l), pipelineOutputSoFar(ctx, t, l, stdout, stderr)
	case err != nil:
		return newStatus(l), err
	}
	if l.Status.Terminal() {
		err = out.finish(ctx, l)
	}
	return newStatus(l), err
}

// Peek is [Task.Result], but leaves the result where
// it is: [Task.Discard] removes it later. [ErrResultConsumed] is returned with how the task
// ended if that was done. Cancelling ctx ends the wait.
func (t *Task) Peek(ctx context.Context) (*Result, error) {
	l, err := awaitTask(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	return peek(ctx, t, l)
}

// peek is the result of a task that has ended.
func peek(ctx context.Context, t *Task, l *ledger.Task) (res *Result, err error) {
	res = newResult(l)
	switch l.Output.Form {
	case ledger.FormNone:
	case ledger.FormFile:
		res.Large, err = largeOutput(ctx, t, l)
	default:
		res.Output, err = output(ctx, t, l)
	}
	return res, err
}

// LargeOutput describes an output that is too large for a message. It is the
// message that stands for the output in the task's outbox.
type LargeOutput struct {
	Type    string  `json:"type"` // "large_output"
	Path    string  `json:"path"` // of the file that holds all of it, absolute
	Size    int64   `json:"size"` // in bytes
	SizeMB  float64 `json:"size_mb"`
	SHA256  string  `json:"sha256"`            // of the file, in hexadecimal
	Preview string  `json:"truncated_preview"` // how it begins
}

type plainLargeOutput LargeOutput

// rawLargeOutput is a LargeOutput in JSON: its path may hold any bytes.
type rawLargeOutput struct {
	Type string             `json:"type"`
	Path taskspec.RawString `json:"path"`
	*plainLargeOutput
}

// MarshalJSON writes the description, its path as a [taskspec.RawString].
func (o LargeOutput) MarshalJSON() ([]byte, error) {
	return jsonobject.Encode(rawLargeOutput{o.Type, taskspec.RawString(o.Path), (*plainLargeOutput)(&o)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *LargeOutput) UnmarshalJSON(data []byte) error {
	v := rawLargeOutput{plainLargeOutput: (*plainLargeOutput)(o)}
	err := json.Unmarshal(data, &v)
	o.Type, o.Path = v.Type, string(v.Path)
	return err
}

// largeOutput reads the message that stands for the output of a task.
func largeOutput(ctx context.Context, t *Task, l *ledger.Task) (*LargeOutput, error) {
	body, err := resultMessage(ctx, t, l)
	if err != nil {
		return nil, err
	}
	o := new(LargeOutput)
	if err := json.Unmarshal([]byte(body), o); err != nil {
		return nil, fmt.Errorf("read result of task %s: %w", t.tid, err)
	}
	// The place follows from the task, whatever the message says.
	by := ledger.SourceOf(l)
	o.Path = ledger.OutputFile(t.project.dir, by.TID, by.Epoch, ledger.Stdout)
	return o, nil
}
