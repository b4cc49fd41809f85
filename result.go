package weft

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// ErrTaken is returned where a result is asked for that was taken before.
var ErrTaken = errors.New("result already taken")

// ErrNoOutput is returned for a large output whose file has been removed, or
// was never here because the task comes from a dump.
var ErrNoOutput = errors.New("the file of its output is not here")

// A Result is how a task ended and what it wrote to its standard output.
type Result struct {
	Status
	// Output is all of the standard output. An output larger than the task's
	// output_size_limit_mb is not held in memory: then Output is nil and Spilled
	// is true, and [Task.Output] reads it before the result is taken.
	Output  []byte
	Spilled bool
}

// Run is [Context.RunContext] with a context that does not end.
func (c *Context) Run(spec *taskspec.Spec, opts ...SubmitOption) (*Result, error) {
	return c.RunContext(context.Background(), spec, opts...)
}

// RunContext submits a task, waits for its end and takes its result. The error
// is a *[TaskError] if the task did not complete; the result is there as well.
//
// When ctx ends first, the task is stopped, as exec.CommandContext ends its
// command, and ctx's error is returned once it has ended.
func (c *Context) RunContext(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOption) (*Result, error) {
	t, err := c.SubmitContext(ctx, spec, opts...)
	if err != nil {
		return nil, err
	}
	res, err := t.Result(ctx)
	if err != nil && ctx.Err() != nil {
		_, stopErr := t.Stop(context.WithoutCancel(ctx))
		return nil, errors.Join(context.Cause(ctx), stopErr)
	}
	if err != nil {
		return nil, err
	}
	return res, res.Err()
}

// Result waits for the end of the task and takes its result: it is handed out
// once, and [ErrTaken] is returned afterwards, with how the task ended. A task
// that never ran has no output. Cancelling ctx ends the wait.
//
// A spilled output stays until [Task.Take].
func (t *Task) Result(ctx context.Context) (*Result, error) {
	res, err := t.Peek(ctx)
	if err != nil || res.Spilled {
		return res, err
	}
	return res, t.Take(ctx)
}

// output reads a result that is kept in its message.
func (t *Task) output(ctx context.Context, l *ledger.Task) ([]byte, error) {
	m, err := t.c.Queue(ledger.QueuesOf(t.tid).Outbox).Peek(ctx)
	if errors.Is(err, broker.ErrEmpty) {
		return nil, fmt.Errorf("task %s: %w", t.tid, ErrTaken)
	}
	if err != nil {
		return nil, err
	}
	if l.Output.Form == ledger.FormText {
		return []byte(m.Body), nil
	}
	var v struct {
		Data string `json:"data"`
	}
	if err := json.Unmarshal([]byte(m.Body), &v); err != nil {
		return nil, fmt.Errorf("read result of task %s: %w", t.tid, err)
	}
	return base64.StdEncoding.DecodeString(v.Data)
}

// Take removes the result of a task that has ended: its message and its files.
// Call it when what [Task.Output] wrote is safe. Taking it twice is no error.
func (t *Task) Take(ctx context.Context) error {
	l, err := t.load(ctx)
	if err != nil {
		return err
	}
	if _, err := t.c.Queue(ledger.QueuesOf(t.tid).Outbox).Delete(ctx, broker.Select{}); err != nil {
		return err
	}
	// The consumer removes what went into the message, but may have been killed
	// before it could.
	for _, s := range []ledger.Stream{ledger.Stdout, ledger.Stderr} {
		err := os.Remove(ledger.OutputFile(t.c.dir, t.tid, l.Epoch, s))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("take result of task %s: %w", t.tid, err)
		}
	}
	return nil
}

// Output writes what the task prints to stdout and stderr, from the beginning,
// as it is produced, until the task has ended, and then says how it ended. It
// takes nothing: see [Task.Take]. Either writer may be nil. Cancelling ctx ends
// the copying and leaves the task alone.
//
// An error of a writer is returned as it is. If the result has been taken, what
// is left of the output is written and [ErrTaken] returned with the status.
func (t *Task) Output(ctx context.Context, stdout, stderr io.Writer) (*Status, error) {
	out := follower{c: t.c, tid: t.tid, stream: ledger.Stdout, w: stdout}
	errs := follower{c: t.c, tid: t.tid, stream: ledger.Stderr, w: stderr}
	defer out.close()
	defer errs.close()
	l, err := t.await(ctx, func(l *ledger.Task) error {
		if l.Status.Terminal() {
			return nil // finish reads the rest
		}
		if err := out.copy(l.Epoch); err != nil {
			return err
		}
		return errs.copy(l.Epoch)
	})
	if err != nil {
		return nil, err
	}
	s := newStatus(l)
	if l.Output.Form == ledger.FormNone {
		return s, nil
	}
	if err := errs.finish(ctx, l, func() ([]byte, error) { return l.Output.Stderr, nil }, l.Output.StderrTruncated()); err != nil {
		return s, err
	}
	return s, out.finish(ctx, l, func() ([]byte, error) { return t.output(ctx, l) }, l.Output.Form == ledger.FormFile)
}
