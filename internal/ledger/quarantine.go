package ledger

import (
	"math"

	"weft/broker"
)

// LastID returns the greatest id in the store now; later submissions get greater ones. For
// a store whose content Weft cannot have written it returns the greatest possible id, so
// that nothing of it is run.
func LastID(r broker.Reader) (broker.ID, error) {
	info, err := r.Info()
	if err != nil {
		return 0, err
	}
	if info.Altered {
		return math.MaxInt64, nil
	}
	// A task has the id of its request. Another attempt at it would get the id in its
	// record.
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

// CountQuarantined counts the requests with ids up to quarantined.
func CountQuarantined(r broker.Reader, quarantined broker.ID) (n int, err error) {
	if quarantined == 0 {
		return 0, nil
	}
	for _, prefix := range []string{InlinePrefix, spawnPrefix} {
		names, err := queuesBelow(r, prefix)
		if err != nil {
			return 0, err
		}
		for _, name := range names {
			err := r.Scan(name, broker.Select{}, func(m broker.Message) bool {
				if m.ID <= quarantined {
					n++
				}
				return m.ID <= quarantined
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}
