package ledger

import (
	"errors"
	"fmt"

	"weft/broker"
)

// ErrNotInteractive is returned for input to a task that does not read input while it runs.
var ErrNotInteractive = errors.New("it is not interactive")

// WriteStdin writes a message for an interactive task into its inbox. Errors wrap
// [ErrNotRunning] if the task has ended, or [ErrNotInteractive].
func WriteStdin(tx *broker.Tx, tid, body string) error {
	t, err := load(tx, tid)
	if err != nil {
		return err
	}
	if t.Status.Terminal() {
		return fmt.Errorf("%w: it %s", ErrNotRunning, t.Status)
	}
	// Before the dispatch only the request has the spec; the client has read it.
	if work, err := t.Work(); err != nil || t.Epoch > 0 && !work.Interactive {
		return errors.Join(err, ErrNotInteractive)
	}
	_, err = tx.Write(QueuesOf(tid).Inbox, body)
	return err
}
