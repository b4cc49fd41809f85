package broker

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// lastID is an id after which there are enough ids for any use.
const lastID = math.MaxInt64 - 1<<40

// SpentIDs reports whether the store can assign hardly any ids, because its count is lost
// or was set to the end; ms are the messages with such ids. [ResetIDs] repairs that.
func SpentIDs(r Reader) (ms []Message, spent bool, err error) {
	info, err := r.Info()
	if errors.Is(err, ErrNoIDs) {
		info.LastID, err = math.MaxInt64, nil
	}
	if err != nil || info.LastID <= lastID {
		return nil, false, err
	}
	err = r.Scan("", Select{After: lastID}, func(m Message) bool {
		ms = append(ms, m)
		return true
	})
	return ms, true, err
}

// ResetIDs removes messages that [SpentIDs] has returned, and makes the store assign ids
// again that are greater than those of the others.
func ResetIDs(tx *Tx, ms []Message) error {
	for _, m := range ms {
		if _, err := tx.txn.Delete(m.Queue, Select{ID: m.ID}); err != nil {
			return wrap(m.Queue, "delete from", err)
		}
	}
	if err := tx.txn.ResetIDs(IDAt(time.Now())); err != nil {
		return fmt.Errorf("reset ids: %w", err)
	}
	return nil
}
