package weft

import (
	"context"
	"encoding/json"
	"fmt"

	"weft/internal/jsonobject"
	"weft/internal/ledger"
	"weft/taskspec"
)

// Peek waits for the end of the task and returns its result, and leaves it where
// it is: [Task.Discard] removes it later. [ErrTaken] is returned with how the task
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
// message that stands for the output in the task's outbox. [Task.Discard] removes
// the file.
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
