package ledger

import (
	"time"

	"weft/broker"
	"weft/taskspec"
)

// End ends a task that has not been dispatched and returns how it stands
// afterwards. A task that has begun is returned as it is: its consumer has to
// end it.
func End(tx *broker.Tx, tid string, o taskspec.Outcome, now time.Time) (*Task, error) {
	t, err := load(tx, tid)
	if err != nil || t.Status != taskspec.StatusCreated {
		return t, err
	}
	if _, err := tx.Delete(Requests, broker.Select{ID: t.Number()}); err != nil {
		return nil, err
	}
	if err := tx.DeleteRecord(nestedKind, tid); err != nil {
		return nil, err
	}
	return t, t.conclude(tx, o, now.UnixNano(), nil)
}
