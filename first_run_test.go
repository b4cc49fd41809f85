//go:build linux

package weft_test

import (
	"fmt"
	"testing"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestFirstRuns has many clients find no project at the same time.
func TestFirstRuns(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = p.client(call{Do: "run", Spec: shell(`echo "$1"`, fmt.Sprint("token ", i))})
	}
	for i, c := range clients {
		tid := c.accepted()
		got := c.answer()
		if got.TID != tid || got.Status != taskspec.StatusCompleted || got.Output != fmt.Sprintf("token %d\n", i) {
			t.Errorf("client %d, task %s: got %+v", i, tid, got)
		}
	}
	if n := p.managers(); n != 1 {
		t.Errorf("%d managers have led, want 1", n)
	}
}

// managers counts the managers that the project has had. A manager is recorded
// when it has the lock, so one that was refused is not.
func (p *project) managers() (n int) {
	p.t.Helper()
	recs, err := p.open().Broker().Records(p.ctx, ledger.ManagerKind, broker.RecordSelect{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range recs {
		if !ledger.IsCurrent(r) {
			n++
		}
	}
	return n
}
