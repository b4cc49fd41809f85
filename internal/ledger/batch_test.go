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
