package ledger

import "weft/broker"

// batchKind is the kind of the records of batches. Their key is the batch's id, and their
// rank the first of its tasks.
const batchKind = "batch"

// A Batch is a number of tasks that were submitted together, in any number of transactions.
// Its tasks name it: see [Task.Batch].
type Batch struct {
	ID string `json:"id"`
	// First and Last are the first and the last of its tasks; others may lie between them.
	First broker.ID `json:"first"`
	Last  broker.ID `json:"last"`
}

var batches = table[Batch]{batchKind, func(rec broker.Record) (b Batch, err error) {
	if err = fields(rec, &b); err == nil && (b.ID != rec.Key || int64(b.First) != rec.Rank || b.Last < b.First) {
		err = errMismatch
	}
	return b, err
}}

// FindBatch returns a batch; the error wraps [broker.ErrNotFound] if there is none.
func FindBatch(r broker.Reader, id string) (Batch, error) { return batches.get(r, id) }

// extendBatch adds tasks that were just submitted to a batch, which may be new.
func extendBatch(tx *broker.Tx, id string, accepted []Accepted) error {
	b, err := FindBatch(tx, id)
	if unreadable(err) {
		b, err = Batch{ID: id}, nil
	}
	if err != nil {
		return err
	}
	for _, a := range accepted {
		tid, err := broker.ParseID(a.TID)
		if err != nil || a.Existing {
			continue
		}
		if b.First == 0 {
			b.First = tid
		}
		b.Last = tid
	}
	if b.First == 0 {
		return nil // all of them were there
	}
	return put(tx, broker.Record{Kind: batchKind, Key: b.ID, Rank: int64(b.First)}, b)
}

// isGone reports whether no task is there any more between the first and the last of the
// batch.
func (b Batch) isGone(r broker.Reader) (bool, error) {
	next, err := r.Records(Kind, broker.RecordSelect{AfterRank: int64(b.First) - 1, Limit: 1})
	return err == nil && (len(next) == 0 || next[0].Rank > int64(b.Last)), err
}

// DropBatches removes, among the next limit batches with a rank above after, those whose tasks
// are gone. It returns how many it removed, and the rank to continue with, 0 at the end.
func DropBatches(tx *broker.Tx, after int64, limit int) (n int, next int64, err error) {
	return dropSome(tx, batchKind, broker.RecordSelect{AfterRank: after, Limit: limit}, func(rec broker.Record) (needed bool, err error) {
		b, err := batches.decode(rec)
		if damaged(err) {
			return true, nil // repair needs it
		}
		gone, err := b.isGone(tx)
		return !gone, err
	})
}

// rebuildBatch finds the last of the batch's tasks.
func rebuildBatch(r broker.Reader, rec broker.Record) (broker.Record, error) {
	b := Batch{ID: rec.Key, First: broker.ID(rec.Rank)}
	for t, err := range tasks.each(r, rec.Rank-1) {
		if err != nil {
			return rec, err
		}
		if t.Batch == b.ID {
			b.Last = t.Number()
		}
	}
	if b.Last == 0 {
		return rec, broker.ErrNotFound
	}
	return withBody(rec, b)
}
