package weft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
)

// Retry runs a task that has ended again, under its id, with the same spec and the
// same input, and returns when that is durable; see [Task.Wait] for its end. A result
// that has not been consumed is lost. Retry starts a manager if there is none.
//
// A pipeline resumes at the stage that did not complete; a stage cannot be retried
// alone.
//
// Errors wrap [ErrNoTask], [ErrNoRetry], [ErrManager], or
// a [taskspec.TransitionError] if the task has not ended.
func (t *Task) Retry(ctx context.Context) error {
	var before *ledger.Task
	managed := false
	err := t.project.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		before, managed, err = ledger.Retry(tx, t.tid, time.Now())
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
	if !before.Output.InMemory {
		if err := removeAttempt(t.project, ledger.SourceOf(before)); err != nil {
			return fmt.Errorf("retry task %s: %w", t.tid, err)
		}
	}
	return accepted{waiting: t, managed: managed}.awaitManager(ctx)
}

// removeAttempt removes what an attempt has written.
func removeAttempt(p *Project, a ledger.Attempt) error {
	for _, s := range []ledger.Stream{ledger.Stdout, ledger.Stderr} {
		if err := project.RemoveOutput(ledger.OutputFile(p.dir, a.TID, a.Epoch, s)); err != nil {
			return err
		}
	}
	return nil
}
