//go:build linux

package weft_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/internal/proc"
	"weft/monitor"
	"weft/taskspec"
)

// zooGrace is what the tasks of the zoo get between SIGTERM and SIGKILL, and
// zooTimeout the time of those that run out of it, in which all animals must
// have told that they live.
const (
	zooGrace   = 200 * time.Millisecond
	zooTimeout = 4*time.Second + 2*time.Second*slowness
)

// A way is how a task of the zoo comes to its end. Within the given time after
// that was asked for, nothing of it may be left.
type way struct {
	name   string
	status taskspec.Status
	within time.Duration
	ask    func(p *project, tid string, gate *fifo) // nil: it is not asked
}

// waysToEnd are those that G4 and G6 of RELIABILITY.md tell of. That a task's
// own process ends has no bound of its own there; it gets that of a kill.
func waysToEnd() []way {
	tell := func(do string) func(*project, string, *fifo) {
		return func(p *project, tid string, _ *fifo) { p.client(call{Do: do, TID: tid}).answer() }
	}
	return []way{
		{"exit", taskspec.StatusCompleted, time.Second, func(_ *project, _ string, gate *fifo) { gate.open(1) }},
		{"stop", taskspec.StatusCancelled, zooGrace + time.Second, tell("stop")},
		{"kill", taskspec.StatusKilled, time.Second, tell("kill")},
		{"timeout", taskspec.StatusTimeout, zooGrace + time.Second, nil},
		{"consumer", taskspec.StatusFailed, 2 * time.Second, func(p *project, tid string, _ *fifo) { p.signal(p.task(tid).Consumer, syscall.SIGKILL) }},
	}
}

// TestZoo lets animals out in tasks, and brings the tasks to their end in every
// way: no animal is left.
//
// One promise has an exception: see [animal].
func TestZoo(t *testing.T) {
	for _, grouped := range []bool{false, true} {
		for _, w := range waysToEnd() {
			t.Run(fmt.Sprintf("%s grouped=%v", w.name, grouped), func(t *testing.T) {
				if grouped {
					needGroups(t)
				}
				t.Parallel()
				openZoo(t, w, grouped)
			})
		}
	}
}

// needGroups skips the test where tasks get no cgroup.
func needGroups(t *testing.T) {
	t.Helper()
	g, err := monitor.NewGroup(fmt.Sprint("test-", time.Now().UnixNano()), 100)
	if err != nil {
		t.Skipf("no cgroup can be made here: %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}

// openZoo has all animals live at the same time and ends their tasks in the
// given way, one after the other.
func openZoo(t *testing.T, w way, grouped bool) {
	p := newProject(t, fmt.Sprint("WEFT_MAX_TASKS=", len(zoo)), "WEFT_DURABILITY=normal")
	u := p.user()
	type cage struct {
		animal
		tid        string
		tell, gate *fifo
	}
	var cages []cage
	for _, a := range zoo {
		c := cage{animal: a, tell: p.fifo(a.name + " tell"), gate: p.fifo(a.name + " gate")}
		spec, err := a.cage(c.tell, c.gate)
		if err != nil {
			t.Fatal(err)
		}
		spec.Spec.StopGrace = new(zooGrace.Seconds())
		if w.ask == nil {
			spec.Spec.Timeout = new(zooTimeout.Seconds())
		}
		if grouped { // where there is a limit, there is a group
			spec.Spec.Limits.MemoryMB = new(4000.0)
		}
		u.call(call{Do: "submit", Spec: spec})
		c.tid = u.accepted()
		cages = append(cages, c)
	}
	herds := make(map[string][]proc.Identity)
	for _, c := range cages {
		herds[c.name] = c.keep(c.tell)
	}
	for name, herd := range herds {
		if i := slices.IndexFunc(herd, func(id proc.Identity) bool { return !id.Alive() }); i >= 0 {
			t.Fatalf("%s %d has ended before its task was to", name, herd[i].PID)
		}
	}
	for _, c := range cages {
		began := time.Now()
		if w.ask != nil {
			w.ask(p, c.tid, c.gate)
		}
		task := p.awaitEnd(c.tid)
		if w.ask == nil {
			began = time.Unix(0, task.Started).Add(zooTimeout)
		}
		if task.Status != w.status {
			t.Errorf("%s: the task ended as %+v", c.name, weft.Status{Status: task.Status, Error: task.Error})
		}
		free := c.escapes && w.name == "consumer"
		for _, id := range herds[c.name] {
			if free {
				_ = id.Signal(syscall.SIGKILL) // nothing is promised
			} else if id.Alive() { // its end comes before that of the task is recorded
				t.Errorf("%s (process %d) is left", c.name, id.PID)
				_ = id.Signal(syscall.SIGKILL)
			}
		}
		took := time.Unix(0, task.Completed).Sub(began)
		t.Logf("%-8s %v", c.name, took.Round(time.Millisecond))
		if took > w.within*slowness {
			t.Errorf("%s: ended after %v, want at most %v", c.name, took, w.within)
		}
	}
}
