//go:build linux

package weft_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
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

// TestFirstRunKilled kills the first client of a project while it creates it,
// and has another one come after it.
func TestFirstRunKilled(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(seed(t), 0))
	for i := range waittest.Size(6, 15) {
		after := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
		t.Run(fmt.Sprintf("%d after %v", i, after.Round(time.Millisecond)), func(t *testing.T) {
			p := newProject(t)
			c := p.client(call{Do: "run", Spec: shell("echo first")})
			<-time.After(after) // any time will do
			c.kill()
			if got := p.client(call{Do: "run", Spec: shell(`echo "$1"`, fmt.Sprint(i))}).last(); got.Output != fmt.Sprintln(i) {
				t.Errorf("got %+v", got)
			}
			p.settle()
		})
	}
}

// settle has one client wait for all tasks that have not ended, and returns
// how they did.
func (p *project) settle() (ended []line) {
	p.t.Helper()
	u := p.user()
	for _, task := range p.tasks(taskspec.StatusCreated, taskspec.StatusSpawning, taskspec.StatusRunning) {
		u.call(call{Do: "result", TID: task.TID})
		ended = append(ended, u.line())
	}
	u.calls.Close()
	if err := u.wait(); err != nil {
		p.t.Errorf("client failed: %v\n%s", err, u.erred.String())
	}
	return ended
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
