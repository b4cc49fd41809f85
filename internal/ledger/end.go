package ledger

import (
	"time"

	"weft/broker"
	"weft/taskspec"
)

// End asks for the end of a task and returns how it stands afterwards. One that
// has not been dispatched is ended here; one that runs gets a control message,
// and its consumer ends it; one that has ended stays as it is.
func End(tx *broker.Tx, tid string, c Command, now time.Time) (*Task, error) {
	t, err := load(tx, tid)
	if err != nil || t.Status.Terminal() {
		return t, err
	}
	if t.Pipeline && t.Status != taskspec.StatusCreated {
		if err := endPipeline(tx, t, c, now); err != nil {
			return nil, err
		}
		return load(tx, tid)
	}
	if t.Status != taskspec.StatusCreated {
		_, err := tx.Write(QueuesOf(tid).ControlIn, string(c))
		return t, err
	}
	if _, err := tx.Delete(t.requests(), broker.Select{ID: t.Number()}); err != nil {
		return nil, err
	}
	if err := tx.DeleteRecord(nestedKind, tid); err != nil {
		return nil, err
	}
	if err := dropPending(tx, t); err != nil {
		return nil, err
	}
	return t, t.conclude(tx, ordered(c), now.UnixNano(), Event{})
}
