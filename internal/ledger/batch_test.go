package ledger

import (
	"errors"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// The tasks of a batch lie between two ids, whatever else is submitted between them, also
// where a dump is loaded; its record goes with the last of them.
func TestBatch(t *testing.T) {
	t.Parallel()
	p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	var tids, others []string
	for set := range 2 {
		var all []Submission
		for i := range 2 {
			all = append(all, Submission{Spec: echo(), Item: "item", Dir: p.root, Batch: "b", Line: 2*set + i + 1, Limit: 2})
		}
		p.update(func(tx *broker.Tx) error {
			accepted, _, err := SubmitAll(tx, all, at)
			for _, a := range accepted {
				tids = append(tids, a.TID)
			}
			return err
		})
		others = append(others, p.submit())
	}
	find := func(p *project) (b Batch, err error) {
		err = p.b.View(ctx, func(r broker.Reader) (err error) { b, err = FindBatch(r, "b"); return err })
		return b, err
	}
	other.mustLoad(p.dump(false, true), true)
	for _, p := range []*project{p, other} {
		if b, err := find(p); err != nil || b.First.String() != tids[0] || b.Last.String() != tids[3] {
			t.Errorf("batch %+v, %v, want from %s to %s", b, err, tids[0], tids[3])
		}
		if last := p.task(tids[3]); last.Batch != "b" || last.Line != 4 {
			t.Errorf("the last task is %+v", last)
		}
		if running, limit := p.use("batch:b"); running != 2 || limit != 2 {
			t.Errorf("%d of %d run", running, limit)
		}
	}
	dropBatches := func() {
		p.update(func(tx *broker.Tx) error { _, _, err := DropBatches(tx, 0, 9); return err })
	}
	if dropBatches(); p.task(tids[0]).Status != taskspec.StatusCreated {
		t.Error("a task has gone")
	}
	if _, err := find(p); err != nil {
		t.Error(err)
	}
	for _, tid := range append(others[:1], tids...) { // what lies between keeps it
		p.update(func(tx *broker.Tx) error {
			if _, err := End(tx, tid, CommandStop, at); err != nil {
				return err
			}
			return tx.DeleteRecord(Kind, tid)
		})
	}
	dropBatches()
	if _, err := find(p); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("the batch of no task: %v", err)
	}
}

// TestDropBatches removes batches whose tasks are gone, some at a time: one that is damaged
// stays for repair, and does not keep those behind it.
func TestDropBatches(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	p.update(func(tx *broker.Tx) error {
		if err := tx.PutRecord(broker.Record{Kind: batchKind, Key: "damaged", Rank: 1, Body: "{"}); err != nil {
			return err
		}
		return put(tx, broker.Record{Kind: batchKind, Key: "gone", Rank: 2}, Batch{ID: "gone", First: 2, Last: 3})
	})
	total := 0
	for after := int64(0); ; {
		var next int64
		p.update(func(tx *broker.Tx) error {
			n, to, err := DropBatches(tx, after, 1)
			total, next = total+n, to
			return err
		})
		if next == 0 {
			break
		}
		after = next
	}
	left, err := p.b.Records(ctx, batchKind, broker.RecordSelect{})
	if err != nil || total != 1 || len(left) != 1 || left[0].Key != "damaged" {
		t.Errorf("%d were removed, %v are left: %v", total, left, err)
	}
}
