package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// input is a message to an interactive task: see [Task.SendInput].
type input struct {
	Stdin     taskspec.RawString `json:"stdin,omitempty"`
	Close     bool               `json:"close,omitempty"`
	Interrupt bool               `json:"interrupt,omitempty"`
}

// SendInput gives an interactive task p to read from its standard input, as it
// is: a line ends where p has a newline. It is durable when SendInput returns,
// in the task's inbox, and gone when the task has it, or has ended; a task that
// has not begun reads it when it does. At most 7 MiB go at once.
//
// A body written to the inbox by other means is a line by itself, or an object
// {"stdin": text, "close": true}, where text that is not UTF-8 is {"base64": "…"}.
//
// Errors wrap [ErrNotRunning] if the task has ended, or [ErrNotInteractive].
// Cancelling ctx withdraws what has not been accepted.
func (t *Task) SendInput(ctx context.Context, p []byte) error {
	return send(ctx, t, input{Stdin: taskspec.RawString(p)})
}

// CloseInput ends the standard input of an interactive task, after what was sent
// before; at a terminal it presses Ctrl-D. Else it is like [Task.SendInput].
func (t *Task) CloseInput(ctx context.Context) error { return send(ctx, t, input{Close: true}) }

// Interrupt sends SIGINT to the processes of an interactive task, once it has
// what was sent before; at a terminal it presses Ctrl-C. Else it is like
// [Task.SendInput].
func (t *Task) Interrupt(ctx context.Context) error { return send(ctx, t, input{Interrupt: true}) }

func send(ctx context.Context, t *Task, in input) error {
	body, err := json.Marshal(in)
	if err == nil {
		err = t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.WriteStdin(tx, t.tid, string(body)) })
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return fmt.Errorf("send input to task %s: %w", t.tid, err)
	}
	return nil
}
