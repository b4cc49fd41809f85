package ledger

import (
	"fmt"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// End asks for the end of a task and returns the task afterwards. A task that has not been
// dispatched is ended here; a running one gets a control message, and its consumer ends it;
// one that has ended is unchanged. The error is a *[DamagedError] if the state of the task
// cannot be read: see [EndDamaged].
func End(tx *broker.Tx, tid string, c Command, now time.Time) (*Task, error) {
	return askToEnd(tx, tid, Control{Command: c}, now)
}

func askToEnd(tx *broker.Tx, tid string, order Control, now time.Time) (*Task, error) {
	c := order.Command
	t, err := load(tx, tid)
	if err != nil || t.Status.Terminal() {
		return t, err
	}
	t.by = order.By
	if t.Kind() == Pipeline && t.Status != taskspec.StatusCreated {
		if err := endPipeline(tx, t, c, now); err != nil {
			return nil, err
		}
		return load(tx, tid)
	}
	if t.Status != taskspec.StatusCreated {
		_, err := tx.Write(QueuesOf(tid).ControlIn, order.body())
		return t, err
	}
	return t, endUnstarted(tx, t, ordered(c), now)
}

// EndWaiting stops a task that has not been dispatched. It returns false for any other, and
// for one whose record cannot be read; these it does not change.
func EndWaiting(tx *broker.Tx, tid string, now time.Time) (ended bool, err error) {
	t, err := load(tx, tid)
	if damaged(err) || err == nil && t.Status != taskspec.StatusCreated {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, endUnstarted(tx, t, taskspec.Stopped(), now)
}

// Interrupt sends SIGINT to a task and returns the task afterwards. It ends one that has not
// been dispatched. An interactive task gets the message stdin, which says the same, behind
// what it was sent before. Errors wrap [ErrNotRunning] if the task has ended.
func Interrupt(tx *broker.Tx, tid, stdin string, now time.Time) (*Task, error) {
	t, err := load(tx, tid)
	if err != nil {
		return nil, err
	}
	if t.Status.Terminal() {
		return nil, fmt.Errorf("%w: it %s", ErrNotRunning, t.Status)
	}
	if t.Status == taskspec.StatusRunning && t.Kind() != Pipeline {
		if work, err := t.Work(); err == nil && work.Interactive {
			_, err := tx.Write(QueuesOf(tid).Inbox, stdin)
			return t, err
		}
	}
	return End(tx, tid, CommandInterrupt, now)
}

// Withdraw ends a task that has not been dispatched, for this reason, and drops its key, so
// that another submission gets a new task. It returns false for a task that has been
// dispatched, which it does not change.
func Withdraw(tx *broker.Tx, tid, reason string, now time.Time) (withdrawn bool, err error) {
	t, err := load(tx, tid)
	if err != nil || t.Status != taskspec.StatusCreated {
		return false, err
	}
	o := taskspec.Stopped()
	o.Error = reason
	if err := endUnstarted(tx, t, o, now); err != nil {
		return false, err
	}
	return true, dropKey(tx, t)
}

// endUnstarted ends a task that has not been dispatched.
func endUnstarted(tx *broker.Tx, t *Task, o taskspec.Outcome, now time.Time) error {
	if _, err := tx.Delete(t.requests(), broker.Select{ID: t.Number()}); err != nil {
		return err
	}
	if err := t.unindex(tx); err != nil {
		return err
	}
	return t.conclude(tx, o, now.UnixNano(), Event{})
}

// EndDamaged asks the process that runs a task with a damaged record, if there is one, to
// end it.
func EndDamaged(tx *broker.Tx, tid string, c Command) error {
	_, err := tx.Write(QueuesOf(tid).ControlIn, string(c))
	return err
}
