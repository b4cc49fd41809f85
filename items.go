package weft

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// SendItem puts an item into the inbox of a persistent task, or into the queue that
// its spec names for that, and returns the id of its message, which the result of
// the item has too. It is durable when SendItem returns. An item for a command is
// its standard input, or an object {"stdin": text, "args": [...]}; one for a function
// is the argument, or {"args": [...], "kwargs": {...}}.
//
// Other programs may write to that queue directly too. While the task runs, the name
// of the queue is also that of an endpoint, unless another task has claimed it.
//
// Errors wrap [ErrNotRunning] if the task has ended, or [ErrNotPersistent].
func (t *Task) SendItem(ctx context.Context, body string) (messageID string, err error) {
	var id broker.ID
	err = t.project.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		id, err = ledger.PutItem(tx, t.tid, body)
		return err
	})
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return "", fmt.Errorf("send item to task %s: %w", t.tid, err)
	}
	return id.String(), nil
}

// An ItemResult is how one item of a persistent task ended, and what it wrote to
// its standard output. [Task.Items] yields them.
type ItemResult struct {
	MessageID  string // of the item
	Status     taskspec.Status
	ReturnCode *int   // nil if nothing ran
	Reason     string // why it did not complete, or empty
	Stderr     string // then, the end of what it wrote to its standard error, at most 4 KiB
	// Output is all of the standard output, or the value of a function in JSON. One
	// that is not held in memory is nil, and Large describes it: see WriteTo.
	Output []byte
	Large  *LargeOutput
	// Value is true if Output is the value of a function.
	Value bool
	// Message is the result as it is in the outbox, in JSON.
	Message string

	t  *Task
	id broker.ID // in the outbox
}

// Items yields the results of the items of a persistent task, in the order in which
// they ended, and waits for more until the task has ended. It consumes nothing: see
// [ItemResult.Discard]. A result that was not consumed is yielded again by the next call.
//
// An item that completed is not among them if the spec names a queue for results
// (io.outputs.outbox): its result is for the readers of that.
//
// An error ends the iteration: [ErrNotPersistent], or the cause of ctx's end, which
// leaves the task alone. At most 1 MiB of results is in memory, or one that is
// larger. A manager is started whenever the project has none.
func (t *Task) Items(ctx context.Context) iter.Seq2[*ItemResult, error] {
	return func(yield func(*ItemResult, error) bool) {
		if err := eachItem(ctx, t, func(r *ItemResult) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("items of task %s: %w", t.tid, err))
		}
	}
}

// eachItem calls fn with the results until it returns false or the task has ended.
func eachItem(ctx context.Context, t *Task, fn func(*ItemResult) bool) error {
	outbox := t.project.broker.Queue(ledger.OutboxOf(t.tid))
	var seen broker.ID
	_, err := awaitTask(ctx, t, func(l *ledger.Task) error {
		if l.Kind() != ledger.Persistent {
			return ErrNotPersistent
		}
		for m, err := range outbox.Messages(ctx, broker.Select{After: seen}) {
			if err != nil {
				return err
			}
			seen = m.ID
			if r := newItemResult(t, m); r != nil && !fn(r) {
				return errFound
			}
		}
		return nil
	})
	return err
}

// newItemResult reads a message of the outbox; nil if it is something else, which
// another program has put there.
func newItemResult(t *Task, m broker.Message) *ItemResult {
	var v ledger.ItemResult
	if json.Unmarshal([]byte(m.Body), &v) != nil || v.Type != ledger.ItemResultType {
		return nil
	}
	r := &ItemResult{
		MessageID: v.MessageID, Status: v.Status, ReturnCode: v.ReturnCode, Reason: v.Error, Stderr: v.Stderr,
		Message: m.Body, t: t, id: m.ID,
	}
	var text string
	switch v.Encoding {
	case ledger.ItemValue:
		r.Value = true
		if string(v.Output) != "null" {
			r.Output = v.Output
		}
	case ledger.ItemFile:
		r.Large = new(LargeOutput)
		if json.Unmarshal(v.Output, r.Large) != nil {
			return nil
		}
		r.Large.Path = itemFile(t, v.MessageID, r.Large.Path)
	case ledger.ItemBytes:
		var err error
		if json.Unmarshal(v.Output, &text) != nil {
			return nil
		}
		if r.Output, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil
		}
	default:
		if json.Unmarshal(v.Output, &text) != nil {
			return nil
		}
		r.Output = []byte(text)
	}
	return r
}

// itemFile is where the output of an item is, of which a message says that it is at
// path. That is believed only so far as it names a file of this item.
func itemFile(t *Task, messageID, path string) string {
	a, ok := ledger.ParseOutputFile(filepath.Base(path))
	if !ok || a.TID != t.tid || a.Item.String() != messageID || a.Stream != ledger.Stdout {
		return ""
	}
	return ledger.ItemOutput(t.project.dir, a.TID, a.Epoch, a.Item, a.Stream)
}

// Err is nil if the item completed, else a *[TaskError] that names the task.
func (r *ItemResult) Err() error {
	if r.Status == taskspec.StatusCompleted {
		return nil
	}
	return &TaskError{TID: r.t.tid, Status: r.Status, ReturnCode: r.ReturnCode, Reason: r.Reason}
}

// WriteTo writes the output, also one that is not in memory. The error wraps
// [ErrNoOutput] if the file of that is not there, [ErrOutputChanged] if it holds something
// else.
func (r *ItemResult) WriteTo(w io.Writer) (int64, error) {
	if r.Large == nil {
		n, err := w.Write(r.Output)
		return int64(n), err
	}
	f, err := project.OpenOutput(r.Large.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("item %s: %w: %s", r.MessageID, ErrNoOutput, r.Large.Path)
	}
	if err != nil {
		return 0, fmt.Errorf("item %s: %w", r.MessageID, err)
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(f, r.Large.Size+1))
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != r.Large.SHA256 {
		err = fmt.Errorf("item %s: %w: %s", r.MessageID, ErrOutputChanged, r.Large.Path)
	}
	return n, err
}

// Discard removes the result, with the file of a large one: call it when the result has
// been used. The error wraps [ErrResultConsumed] if the result has been consumed already.
func (r *ItemResult) Discard(ctx context.Context) error {
	taken, err := broker.Update(ctx, r.t.project.broker, func(tx *broker.Tx) (bool, error) {
		return ledger.TakeItemResult(tx, r.t.tid, r.id)
	})
	if err == nil && !taken {
		err = ErrResultConsumed
	}
	if err == nil && r.Large != nil && r.Large.Path != "" {
		err = project.RemoveOutput(r.Large.Path)
	}
	if err != nil {
		return fmt.Errorf("take result of item %s: %w", r.MessageID, err)
	}
	return nil
}
