package weft

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft/broker"
	"weft/internal/ledger"
)

// ErrNoAttempt is returned for an attempt at a task that has not begun, or of
// which nothing is kept any more.
var ErrNoAttempt = errors.New("no such attempt")

// OutputOf writes what an attempt at a task, counted from 1, has written so far
// to stdout and stderr, either of which may be nil, and says how that attempt
// stands, or ended. It takes nothing.
//
// Of the attempts that a task's retry policy has followed by others, the latest
// ten are kept as long as the task is known; but what was too large for a message
// goes with [System.Tidy] once the task's result has been taken. Errors wrap
// [ErrNoAttempt], [ErrNoOutput], and those of [Task.OutputSoFar].
func OutputOf(ctx context.Context, t *Task, attempt int, stdout, stderr io.Writer) (*Status, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	if attempt == l.Epoch {
		return t.OutputSoFar(ctx, stdout, stderr)
	}
	err = t.c.broker.View(ctx, func(r broker.Reader) (err error) {
		l, err = ledger.PastAttempt(r, t.tid, attempt)
		return err
	})
	if errors.Is(err, broker.ErrNotFound) {
		return nil, fmt.Errorf("task %s: %w: %d", t.tid, ErrNoAttempt, attempt)
	}
	if err != nil {
		return nil, err
	}
	out := newStreams(t, stdout, stderr)
	defer out.close()
	return newStatus(l), out.finish(ctx, l)
}
