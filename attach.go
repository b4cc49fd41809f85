package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"weft/internal/ledger"
	"weft/internal/tty"
	"weft/taskspec"
)

// An AttachOption says how to attach to a task.
type AttachOption func(*tty.Frame)

// WithWindow gives the task's terminal a size, in characters. Without it the
// terminal keeps the size that it has.
func WithWindow(rows, cols uint16) AttachOption {
	return func(hello *tty.Frame) { hello.Size = tty.Size{Rows: rows, Cols: cols} }
}

// FromStart makes the session's output begin with the first that the task has
// printed. Without it a session begins with the latest lines of the output, at
// most 64 KiB, or, if the program fills the screen, as vim does, with having it
// drawn anew.
func FromStart() AttachOption {
	return func(hello *tty.Frame) { hello.Offset = 0 }
}

// Attach connects to the terminal of a task, and waits until it runs if it does
// not yet. Several sessions may be attached to a task: all see the same, what
// any of them writes the program reads, and the size is the one that was set
// last.
//
// Errors wrap [ErrNoTerminal], [ErrNotRunning] if the task has ended, or
// [errors.ErrUnsupported] where there are no tasks. Cancelling ctx ends the wait,
// and later the session.
func (t *Task) Attach(ctx context.Context, opts ...AttachOption) (*Session, error) {
	hello := tty.NewHello(tty.Recent, tty.Size{})
	for _, opt := range opts {
		opt(&hello)
	}
	if err := t.project.foreign; err != nil {
		return nil, fmt.Errorf("attach to task %s: %w", t.tid, err)
	}
	conn, epoch, err := dial(ctx, t)
	if err == nil {
		if err = conn.Send(hello); err != nil {
			conn.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("attach to task %s: %w", t.tid, err)
	}
	return newSession(ctx, t, conn, epoch), nil
}

// dial waits until the task runs and connects to it.
func dial(ctx context.Context, t *Task) (conn *tty.Conn, epoch int, err error) {
	connected := errors.New("connected")
	_, err = awaitTask(ctx, t, func(l *ledger.Task) error {
		switch {
		case l.Status.Terminal():
			return fmt.Errorf("%w: it %s", ErrNotRunning, l.Status)
		case l.Status != taskspec.StatusRunning:
			return nil
		case !hasTerminal(l):
			return ErrNoTerminal
		}
		c, err := tty.Dial(t.project.dir, t.tid, l.Epoch)
		switch {
		case tty.Unheard(err):
			return nil // not yet: its consumer notifies when it listens
		case err != nil:
			return err
		}
		conn, epoch = c, l.Epoch
		return connected
	})
	if errors.Is(err, connected) {
		err = nil
	}
	return conn, epoch, err
}

// hasTerminal reports whether a task that runs has a terminal.
func hasTerminal(l *ledger.Task) bool {
	var s struct {
		Spec struct {
			TTY bool `json:"tty"`
		} `json:"spec"`
	}
	return json.Unmarshal(l.Spec, &s) == nil && s.Spec.TTY
}
