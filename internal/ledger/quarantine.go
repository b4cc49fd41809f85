package ledger

import (
	"math"

	"weft/broker"
)

// LastID returns the greatest id that anything has which is in the store now:
// what will be submitted has a greater one. A store in which something is not as
// Weft makes it gets the greatest id there is, so that nothing of it is run.
func LastID(r broker.Reader) (broker.ID, error) {
	info, err := r.Info()
	if err != nil {
		return 0, err
	}
	if info.Altered {
		return math.MaxInt64, nil
	}
	// A task has the id of its request. Another attempt at it would come under the
	// id that its record says.
	for rec, err := range each(r, Kind, 0) {
		if err != nil {
			return 0, err
		}
		if id, err := broker.ParseID(rec.Key); err == nil && id > info.LastID {
			return math.MaxInt64, nil
		}
	}
	return info.LastID, nil
}

// CountQuarantined counts the requests with ids up to held.
func CountQuarantined(r broker.Reader, held broker.ID) (n int, err error) {
	if held == 0 {
		return 0, nil
	}
	for _, prefix := range []string{InlinePrefix, "weft.spawn.", waitingPrefix} {
		names, err := queuesBelow(r, prefix)
		if err != nil {
			return 0, err
		}
		for _, name := range names {
			err := r.Scan(name, broker.Select{}, func(m broker.Message) bool {
				if m.ID <= held {
					n++
				}
				return m.ID <= held
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}
