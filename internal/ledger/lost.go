package ledger

import (
	"time"

	"weft/broker"
	"weft/taskspec"
)

// MarkLost records that the consumer of an epoch died before it could report how the task
// ended; the task's policy may ask for another attempt. A hand-off that was committed
// before stays valid.
func MarkLost(tx *broker.Tx, tid string, epoch int, now time.Time) error {
	t, err := load(tx, tid)
	if err != nil || t.Epoch != epoch || t.Status != taskspec.StatusRunning {
		return err
	}
	again, err := tryAgain(tx, t, taskspec.Lost(), now.UnixNano())
	if err != nil {
		return err
	}
	var e Event
	if t.traits().items && t.Message != 0 {
		t.Items.Failed++
		e = itemEvent(t.Message)
	}
	return t.end(tx, taskspec.Lost(), now.UnixNano(), e, again)
}

// SlotsInUse counts the tasks that hold a slot.
func SlotsInUse(r broker.Reader) (n int, err error) {
	for t, err := range tasks.each(r, 0, liveStates...) {
		if err != nil {
			return 0, err
		}
		if t.holdsSlot() {
			n++
		}
	}
	return n, nil
}

// LiveTasks returns the tasks that have started and not ended.
func LiveTasks(tx *broker.Tx) ([]*Task, error) {
	return tasks.list(tx, broker.RecordSelect{States: liveStates})
}

// LostTasks returns the ids of the tasks that are recorded as running and whose processes are
// dead, as far as that can be seen from here.
func LostTasks(r broker.Reader) (tids []string, err error) {
	latest, err := latestManager(r)
	if err != nil {
		return nil, err
	}
	for t, err := range tasks.each(r, 0, liveStates...) {
		if err != nil {
			return nil, err
		}
		if t.Look(latest) == Lost {
			tids = append(tids, t.TID)
		}
	}
	return tids, nil
}
