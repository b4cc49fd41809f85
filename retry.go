package weft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// ErrNoRetry is returned for a task that cannot be run again: it was never
// begun, or its policy has cleared its work item.
var ErrNoRetry = ledger.ErrNoRetry

// Retry lets a task that has ended run again, under its id, with the same spec
// and the same input, and returns when that is durable; see [Task.Wait] for its
// end. A result that nobody has taken is lost. It starts a manager if there is
// none.
//
// Errors wrap [ErrNoTask], [ErrNoRetry], [ErrManager], or
// a [taskspec.TransitionError] if the task has not ended.
func (t *Task) Retry(ctx context.Context) error {
	var before *ledger.Task
	managed := false
	err := t.c.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		before, managed, err = ledger.Again(tx, t.tid, time.Now())
		return err
	})
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return fmt.Errorf("retry task %s: %w", t.tid, err)
	}
	// Each attempt has files of its own; those of the last one nobody can ask
	// for any more.
	if err := removeAttempt(t, before); err != nil {
		return fmt.Errorf("retry task %s: %w", t.tid, err)
	}
	return accepted{waiting: t, managed: managed}.attend(ctx)
}

// removeAttempt removes what the last attempt has written.
func removeAttempt(t *Task, l *ledger.Task) error {
	if l.Output.InMemory {
		return nil
	}
	for _, s := range []ledger.Stream{ledger.Stdout, ledger.Stderr} {
		err := os.Remove(ledger.OutputFile(t.c.dir, t.tid, l.Epoch, s))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
