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
	"weft/internal/waittest"
	"weft/monitor"
	"weft/taskspec"
)

// zooGrace is what the tasks of the zoo get between SIGTERM and SIGKILL.
const zooGrace = 200 * time.Millisecond

// A way is how a task of the zoo comes to its end. Within the given time after
// that was asked for, nothing of it is left.
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

// A cage is a task with an animal.
type cage struct {
	animal
	tid        string
	tell, gate *fifo
	herd       []proc.Identity
}

// openZoo has all animals live at the same time and ends their tasks in the
// given way, one after the other.
func openZoo(t *testing.T, w way, grouped bool) {
	p := newProject(t, fmt.Sprint("WEFT_MAX_TASKS=", len(zoo)), "WEFT_DURABILITY=normal")
	u := p.user()
	if w.ask != nil {
		cages := p.fillCages(u, 0, grouped)
		if !p.live(cages) {
			t.Fatal("an animal has ended before its task was to")
		}
		p.emptyCages(cages, w, 0)
		return
	}
	waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
		cages := p.fillCages(u, timeout, grouped)
		live := p.live(cages)
		p.emptyCages(cages, w, timeout)
		return live
	})
}

// fillCages submits a task for each animal.
func (p *project) fillCages(u *client, timeout time.Duration, grouped bool) []*cage {
	p.t.Helper()
	var cages []*cage
	for _, a := range zoo {
		name := fmt.Sprint(a.name, timeout)
		c := &cage{animal: a, tell: p.fifo(name + " tell"), gate: p.fifo(name + " gate")}
		spec, err := a.cage(c.tell, c.gate)
		if err != nil {
			p.t.Fatal(err)
		}
		spec.Spec.StopGrace = new(zooGrace.Seconds())
		if timeout > 0 {
			spec.Spec.Timeout = new(timeout.Seconds())
		}
		if grouped { // where there is a limit, there is a group
			spec.Spec.Limits.MemoryMB = new(4000.0)
		}
		u.call(call{Do: "submit", Spec: spec})
		c.tid = u.accepted()
		cages = append(cages, c)
	}
	return cages
}

// live waits until all animals have told that they live, and reports whether they
// do so at the same time.
func (p *project) live(cages []*cage) bool {
	p.t.Helper()
	for _, c := range cages {
		if c.herd = c.keep(p, c.tell, c.tid); c.herd == nil {
			return false
		}
	}
	return !slices.ContainsFunc(cages, func(c *cage) bool {
		return slices.ContainsFunc(c.herd, func(id proc.Identity) bool { return !id.Alive() })
	})
}

// emptyCages ends the tasks and looks for what is left.
func (p *project) emptyCages(cages []*cage, w way, timeout time.Duration) {
	t := p.t
	t.Helper()
	for _, c := range cages {
		began := time.Now()
		if w.ask != nil {
			w.ask(p, c.tid, c.gate)
		}
		task := p.awaitEnd(c.tid)
		if w.ask == nil {
			began = time.Unix(0, task.Started).Add(timeout)
		}
		if task.Status != w.status {
			t.Errorf("%s: the task ended as %+v", c.name, weft.TaskStatus{Status: task.Status, Error: task.Error})
		}
		free := c.escapes && w.name == "consumer"
		for _, id := range c.herd {
			if free {
				_ = id.Signal(syscall.SIGKILL) // nothing is promised
			} else if id.Alive() { // its end comes before that of the task is recorded
				t.Errorf("%s (process %d) is left", c.name, id.PID)
				_ = id.Signal(syscall.SIGKILL)
			}
		}
		waittest.Bound(t, "the end of "+c.name, time.Unix(0, task.Completed).Sub(began), w.within)
	}
}
