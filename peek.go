package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"weft/broker"
	"weft/internal/ledger"
)

// Peek waits for the end of the task and returns its result, and leaves it where
// it is: [Task.Take] takes it later. [ErrTaken] is returned with how the task
// ended if that was done. Cancelling ctx ends the wait.
func (t *Task) Peek(ctx context.Context) (*Result, error) {
	l, err := t.await(ctx, nil)
	if err != nil {
		return nil, err
	}
	res := &Result{Status: *newStatus(l), Spilled: l.Output.Form == ledger.FormFile}
	if l.Output.Form == ledger.FormNone {
		return res, nil
	}
	if res.Spilled {
		_, err = t.LargeOutput(ctx)
		return res, err
	}
	res.Output, err = output(ctx, t, l)
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

// LargeOutput describes the output of a task that has ended and whose result is
// spilled. [Task.Take] removes the file. [ErrTaken] means that this was done.
func (t *Task) LargeOutput(ctx context.Context) (*LargeOutput, error) {
	l, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	m, err := t.c.Queue(ledger.QueuesOf(t.tid).Outbox).Peek(ctx)
	if errors.Is(err, broker.ErrEmpty) {
		return nil, fmt.Errorf("task %s: %w", t.tid, ErrTaken)
	}
	if err != nil {
		return nil, err
	}
	o := new(LargeOutput)
	if err := json.Unmarshal([]byte(m.Body), o); err != nil {
		return nil, fmt.Errorf("read result of task %s: %w", t.tid, err)
	}
	// The place follows from the task, whatever the message says.
	o.Path = ledger.OutputFile(t.c.dir, t.tid, l.Epoch, ledger.Stdout)
	return o, nil
}
