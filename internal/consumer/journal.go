package consumer

import (
	"context"
	"errors"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// A journal records what a consumer reports of its task: over the link, so that the manager
// writes it to the store, or in the store.
type journal interface {
	record(ctx context.Context, r Report) error
}

// A linkJournal records over the link. An error means that the manager is gone.
type linkJournal struct {
	link     *ConsumerLink
	recorded func(chunks int) bool // waits until the manager has recorded these chunks
}

func (j *linkJournal) record(_ context.Context, r Report) error {
	err := j.link.Send(r)
	if err == nil && r.Chunks != nil && !j.recorded(r.Chunks.Seq) {
		err = errManagerGone
	}
	return err
}

var errManagerGone = errors.New("manager is gone")

// journals records in the first journal that can.
type journals []journal

func (all journals) record(ctx context.Context, r Report) (err error) {
	for _, j := range all {
		if err = j.record(ctx, r); err == nil {
			return nil
		}
	}
	return err
}

// Record writes the report of a task to the store, but for that of a consumer itself, and of
// an item.
func (r Report) Record(tx *broker.Tx, tid string, epoch int, now time.Time) error {
	switch {
	case r.Started != nil:
		return ledger.NoteProcess(tx, tid, epoch, *r.Started)
	case r.Paused != nil:
		return ledger.NotePaused(tx, tid, epoch, *r.Paused)
	case r.Progress != nil:
		return ledger.NoteProgress(tx, tid, epoch, *r.Progress)
	case r.Used != nil:
		return ledger.NoteUsage(tx, tid, epoch, *r.Used, now)
	case r.Chunks != nil:
		return ledger.WriteChunks(tx, r.Chunks)
	case r.Finished != nil:
		return ledger.Finish(tx, r.Finished, nil)
	}
	return nil
}
