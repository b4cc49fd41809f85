//go:build linux

package weft_test

import (
	"slices"
	"testing"
	"time"

	"weft/internal/waittest"
	"weft/taskspec"
)

// busy is a task that computes without end, and tells when it has begun.
func busy(tell *waittest.FIFO) *taskspec.Spec {
	return shell(`echo begun >"$1"; while :; do :; done`, tell.Path)
}

// TestStopBetweenPolls stops tasks that are looked at once a week: nobody waits
// for the next look.
func TestStopBetweenPolls(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	tell := p.fifo("tell")
	u := p.user()
	const week = 7 * 24 * time.Hour
	var took []time.Duration
	for range 5 {
		spec := busy(tell)
		spec.PollingInterval = week
		spec.Limits.CPUPercent = new(100.0) // so that it is looked at
		u.call(call{Do: "submit", Spec: spec})
		tid := u.accepted()
		tell.Read()
		task, err := p.open().Task(p.ctx, tid)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s, err := task.Stop(p.ctx)
		took = append(took, time.Since(began))
		if err != nil || s.Status != taskspec.StatusCancelled {
			t.Fatalf("stopped: %+v, %v", s, err)
		}
	}
	slices.Sort(took)
	t.Logf("stopped after %v", took)
}

// TestPingBusyTask pings a task that computes, beside as many as there are slots
// for: somebody always has time to answer.
func TestPingBusyTask(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=4", "WEFT_DURABILITY=normal")
	tell := p.fifo("tell")
	u := p.user()
	var tids []string
	for range 4 {
		u.call(call{Do: "submit", Spec: busy(tell)})
		tids = append(tids, u.accepted())
		tell.Read()
	}
	var took []time.Duration
	for range 5 {
		for _, tid := range tids {
			task, err := p.open().Task(p.ctx, tid)
			if err != nil {
				t.Fatal(err)
			}
			d, err := task.Ping(p.ctx)
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, d)
		}
	}
	slices.Sort(took)
	t.Logf("%d pings, median %v", len(took), took[len(took)/2])
	waittest.Bound(t, "the slowest ping", took[len(took)-1], 100*time.Millisecond)
	for _, tid := range tids {
		u.call(call{Do: "kill", TID: tid})
		u.line()
	}
}
