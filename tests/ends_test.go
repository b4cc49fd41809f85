//go:build linux

package weft_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// An end is a row of the table of ends: how a task comes to it, and what is then
// to be seen.
type end struct {
	name   string
	spec   *taskspec.Spec
	act    func(*project, *weft.Task) // when the work has begun; nil: it ends by itself
	status taskspec.Status
	code   *int
	signal string
	error  string // it begins so
	event  string
	order  string           // the event of the order, if there is one
	by     taskspec.Outcome // whose policy decides
}

func tableOfEnds() []end {
	within := func(spec *taskspec.Spec, timeout time.Duration) *taskspec.Spec {
		spec.Timeout = timeout
		return spec
	}
	megabytes := func(spec *taskspec.Spec, limit float64) *taskspec.Spec {
		spec.Limits.MemoryMB, spec.PollingInterval = &limit, 50*time.Millisecond
		return spec
	}
	stop := func(p *project, t *weft.Task) { _, _ = t.Stop(p.ctx) }
	kill := func(p *project, t *weft.Task) { _, _ = t.Kill(p.ctx) }
	markLost := func(p *project, t *weft.Task) { p.kill(p.task(t.TID()).Consumer) }
	// A line of 200 MB is held in memory by tail, which has to find its end.
	const greedy = "(head -c 200000000 /dev/zero; sleep 1000) | tail -n 1 | wc -c"
	return []end{
		{name: "exit 0", spec: weft.Command("true"), status: "completed", code: new(0), event: "work_completed", by: taskspec.Exited(0, "")},
		{name: "exit N", spec: shell("exit 3"), status: "failed", code: new(3), error: "command exited with 3", event: "work_failed", by: taskspec.Exited(3, "")},
		{name: "signal", spec: shell("kill -SEGV $$"), status: "failed", code: new(139), signal: "SIGSEGV", error: "command was killed by SIGSEGV", event: "work_failed", by: taskspec.Signaled(11, "")},
		{name: "cannot execute", spec: weft.Command("/etc/passwd"), status: "failed", code: new(126), error: "/etc/passwd: permission denied", event: "work_failed", by: taskspec.NotStarted(false, "")},
		{name: "not found", spec: weft.Command("nosuchcommand"), status: "failed", code: new(127), error: "nosuchcommand: command not found", event: "work_failed", by: taskspec.NotStarted(true, "")},
		{name: "timeout", spec: within(weft.Command("sleep", "1000"), 200*time.Millisecond), status: "timeout", code: new(124), error: "timed out after 200ms", event: "work_timeout", by: taskspec.TimedOut(1)},
		{name: "limit", spec: megabytes(shell(greedy), 50), status: "killed", code: new(137), error: "memory ", event: "work_limit_violation", by: taskspec.Limited("", "")},
		{name: "STOP", spec: weft.Command("sleep", "1000"), act: stop, status: "cancelled", code: new(143), error: "stopped", event: "work_cancelled", order: "control_stop", by: taskspec.Stopped()},
		{name: "KILL", spec: weft.Command("sleep", "1000"), act: kill, status: "killed", code: new(137), error: "killed", event: "work_killed", order: "control_kill", by: taskspec.Killed()},
		{name: "lost", spec: weft.Command("sleep", "1000"), act: markLost, status: "failed", error: "lost: consumer process died", event: "work_lost", by: taskspec.Lost()},
	}
}

// TestEnds takes tasks to every end under every policy for their work item, and
// looks at all that is left of them: record, events and queues.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, policy := range []taskspec.Policy{taskspec.PolicyKeep, taskspec.PolicyRequeue, taskspec.PolicyClear} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_DURABILITY=normal")
			c := p.open()
			for _, e := range tableOfEnds() {
				// The policy that does not decide is another one, so that a mix-up shows.
				e.spec.ReservedPolicyOnError, e.spec.ReservedPolicyOnStop = policy, other(policy)
				if e.order != "" {
					e.spec.ReservedPolicyOnError, e.spec.ReservedPolicyOnStop = other(policy), policy
				}
				if got := e.by.Policy(e.spec.Work); e.name != "exit 0" && got != policy {
					t.Fatalf("%s: the policy %s decides", e.name, got)
				}
				task, err := c.SubmitContext(p.ctx, e.spec, weft.SubmitOptions{Stdin: strings.NewReader("item")})
				if err != nil {
					t.Fatal(err)
				}
				if e.act != nil {
					p.await("the beginning", func(seen ledger.Event) bool { return seen.TID == task.TID() && seen.Event == "work_started" })
					e.act(p, task)
				}
				if _, err := task.Wait(p.ctx); err != nil {
					t.Fatal(err)
				}
				e.check(t, p, c, task, policy)
			}
		})
	}
}

// other is another policy.
func other(p taskspec.Policy) taskspec.Policy {
	return map[taskspec.Policy]taskspec.Policy{
		taskspec.PolicyKeep: taskspec.PolicyClear, taskspec.PolicyClear: taskspec.PolicyRequeue, taskspec.PolicyRequeue: taskspec.PolicyKeep,
	}[p]
}

func (e end) check(t *testing.T, p *project, c *weft.Project, task *weft.Task, policy taskspec.Policy) {
	t.Helper()
	s, err := task.Status(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != e.status || !cmp.Equal(s.ReturnCode, e.code) || s.Signal != e.signal || !strings.HasPrefix(s.Error, e.error) || (e.error == "") != (s.Error == "") {
		t.Errorf("%s: got %s, %v, %q, %q", e.name, s.Status, s.ReturnCode, s.Signal, s.Error)
	}
	want := []string{"task_initialized", "task_spawning", "work_started"}
	if e.order != "" {
		want = append(want, e.order)
	}
	var events []string
	for event, err := range task.Events(p.ctx, false) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event.Name)
	}
	if diff := cmp.Diff(append(want, e.event), events); diff != "" {
		t.Errorf("%s: events (-want +got):\n%s", e.name, diff)
	}
	if e.status == taskspec.StatusCompleted {
		policy = taskspec.PolicyClear
	}
	q := ledger.QueuesOf(task.TID())
	for queue, keeps := range map[string]taskspec.Policy{q.Reserved: taskspec.PolicyKeep, q.Inbox: taskspec.PolicyRequeue} {
		var held, want []string
		if policy == keeps {
			want = []string{`{"stdin":"item"}`}
		}
		for m, err := range c.Queue(queue).Messages(p.ctx, broker.Select{}) {
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, m.Body)
		}
		if !slices.Equal(held, want) {
			t.Errorf("%s: %s holds %q, want %q", e.name, queue, held, want)
		}
	}
}
