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

// escapeGrace is what the tasks of TestEscapes get between SIGTERM and SIGKILL.
const escapeGrace = 200 * time.Millisecond

// A way is how a task of TestEscapes ends. Within the given time after the end is asked
// for, no process of the task is left.
type way struct {
	name   string
	status taskspec.Status
	within time.Duration
	ask    func(p *project, tid string, proceed *waittest.FIFO) // nil: it is not asked
}

// waysToEnd returns the ways that G4 and G6 of docs/reliability.md name. The end of a task's
// own process has no bound there; it gets that of a kill.
func waysToEnd() []way {
	tell := func(do string) func(*project, string, *waittest.FIFO) {
		return func(p *project, tid string, _ *waittest.FIFO) { p.client(call{Do: do, TID: tid}).answer() }
	}
	return []way{
		{"exit", taskspec.StatusCompleted, time.Second, func(_ *project, _ string, proceed *waittest.FIFO) { proceed.Open(1) }},
		{"stop", taskspec.StatusCancelled, escapeGrace + time.Second, tell("stop")},
		{"kill", taskspec.StatusKilled, time.Second, tell("kill")},
		{"timeout", taskspec.StatusTimeout, escapeGrace + time.Second, nil},
		{"consumer", taskspec.StatusFailed, 2 * time.Second, func(p *project, tid string, _ *waittest.FIFO) { p.signal(p.task(tid).Consumer, syscall.SIGKILL) }},
	}
}

// TestEscapes starts tasks with processes that try to escape, and ends the tasks in
// every way: no process is left.
//
// One promise has an exception: see [escapeCase].
func TestEscapes(t *testing.T) {
	for _, grouped := range []bool{false, true} {
		for _, w := range waysToEnd() {
			t.Run(fmt.Sprintf("%s grouped=%v", w.name, grouped), func(t *testing.T) {
				if grouped {
					needGroups(t)
				}
				t.Parallel()
				testEscapes(t, w, grouped)
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

// An escapeTask is a task whose processes try to escape.
type escapeTask struct {
	escapeCase
	tid           string
	tell, proceed *waittest.FIFO
	processes     []proc.Identity
}

// testEscapes runs a task for each case at the same time and ends the tasks in the given
// way, one after the other.
func testEscapes(t *testing.T, w way, grouped bool) {
	p := newProject(t, fmt.Sprint("WEFT_MAX_TASKS=", len(escapeCases)), "WEFT_DURABILITY=normal")
	u := p.user()
	if w.ask != nil {
		tasks := p.startEscapes(u, 0, grouped)
		if !p.live(tasks) {
			t.Fatal("a process ended before its task was to")
		}
		p.endEscapes(tasks, w, 0)
		return
	}
	waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
		tasks := p.startEscapes(u, timeout, grouped)
		live := p.live(tasks)
		p.endEscapes(tasks, w, timeout)
		return live
	})
}

// startEscapes submits a task for each case.
func (p *project) startEscapes(u *client, timeout time.Duration, grouped bool) []*escapeTask {
	p.t.Helper()
	var tasks []*escapeTask
	for _, a := range escapeCases {
		name := fmt.Sprint(a.name, timeout)
		c := &escapeTask{escapeCase: a, tell: p.fifo(name + " tell"), proceed: p.fifo(name + " proceed")}
		spec, err := a.spec(c.tell, c.proceed)
		if err != nil {
			p.t.Fatal(err)
		}
		spec.StopGrace = new(escapeGrace)
		if timeout > 0 {
			spec.Timeout = timeout
		}
		if grouped { // where there is a limit, there is a group
			spec.Limits.MemoryMB = new(4000.0)
		}
		u.call(call{Do: "submit", Spec: spec})
		c.tid = u.accepted()
		tasks = append(tasks, c)
	}
	return tasks
}

// live waits until all processes of the tasks have started, and reports whether they
// run at the same time.
func (p *project) live(tasks []*escapeTask) bool {
	p.t.Helper()
	for _, c := range tasks {
		if c.processes = c.await(p, c.tell, c.tid); c.processes == nil {
			return false
		}
	}
	return !slices.ContainsFunc(tasks, func(c *escapeTask) bool {
		return slices.ContainsFunc(c.processes, func(id proc.Identity) bool { return !id.Alive() })
	})
}

// endEscapes ends the tasks and checks that no process is left.
func (p *project) endEscapes(tasks []*escapeTask, w way, timeout time.Duration) {
	t := p.t
	t.Helper()
	for _, c := range tasks {
		began := time.Now()
		if w.ask != nil {
			w.ask(p, c.tid, c.proceed)
		}
		task := p.awaitEnd(c.tid)
		if w.ask == nil {
			began = time.Unix(0, task.Started).Add(timeout)
		}
		if task.Status != w.status {
			t.Errorf("%s: the task ended as %+v", c.name, weft.TaskStatus{Status: task.Status, Error: task.Error})
		}
		free := c.escapes && w.name == "consumer"
		for _, id := range c.processes {
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
