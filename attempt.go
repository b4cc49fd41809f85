package weft

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft/broker"
	"weft/internal/ledger"
)

// AttemptOutput writes what an attempt at a task, counted from 1, has written so far
// to stdout and stderr, either of which may be nil, and says how that attempt
// stands, or ended. It takes nothing.
//
// Of the attempts that a task's retry policy has followed by others, the latest
// ten are kept as long as the task is known; but what was too large for a message
// goes with [System.Tidy] once the task's result has been taken. Errors wrap
// [ErrNoAttempt], [ErrNoOutput], and those of [Task.OutputSoFar].
func (t *Task) AttemptOutput(ctx context.Context, attempt int, stdout io.Writer, stderr io.Writer) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	var past *ledger.Task
	err = t.project.broker.View(ctx, func(r broker.Reader) (err error) {
		past, err = ledger.PastAttempt(r, t.tid, attempt)
		return err
	})
	switch {
	case err == nil:
		out := newStreams(t, stdout, stderr)
		defer out.close()
		return newStatus(past), out.finish(ctx, past)
	case !errors.Is(err, broker.ErrNotFound):
		return nil, err
	case attempt > 0 && attempt == l.Epoch:
		return t.OutputSoFar(ctx, stdout, stderr)
	}
	return nil, fmt.Errorf("task %s: %w: %d", t.tid, ErrNoAttempt, attempt)
}

// PastAttempts returns how the attempts at a task ended that its retry policy has
// followed by others, in order: the latest ten, as long as the task is known. Most
// tasks have none.
func (t *Task) PastAttempts(ctx context.Context) (ended []*TaskStatus, err error) {
	err = t.project.broker.View(ctx, func(r broker.Reader) error {
		past, err := ledger.PastAttempts(r, t.tid)
		ended = nil
		for _, l := range past {
			ended = append(ended, newStatus(l))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attempts at task %s: %w", t.tid, err)
	}
	return ended, nil
}
