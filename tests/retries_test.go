//go:build linux

package weft_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// retrying is a spec with a policy of so many attempts and this time between
// them.
func retrying(spec *taskspec.Spec, attempts int, backoff time.Duration) *taskspec.Spec {
	spec.Retry = &taskspec.RetryPolicy{MaxAttempts: &attempts, Backoff: new(backoff), Jitter: new(0.0)}
	return spec
}

// retried waits until the task has been retried n times.
func (p *project) retried(tid string, n int) {
	p.t.Helper()
	seen := 0
	p.await("a retry", func(e ledger.Event) bool {
		if e.TID == tid && e.Event == "task_retried" {
			seen++
		}
		return seen == n
	})
}

// TestRetryPolicy runs a task that completes at the third attempt: who waits
// gets the last output only, every attempt is in the log, and the others can be
// read afterwards, also where their output is in a file.
func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]float64{"in messages": 1, "in files": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_DURABILITY=normal")
			spec := retrying(shell(`read item; echo "$item $WEFT_EPOCH"; echo "e $WEFT_EPOCH" >&2; sleep 0.05; test "$WEFT_EPOCH" -eq 3`), 5, time.Millisecond)
			spec.OutputSizeLimitMB = &limit
			c := p.open()
			task, err := c.SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader("item\n")})
			if err != nil {
				t.Fatal(err)
			}
			var output, errs text
			s, err := task.Output(p.ctx, &output, &errs)
			if err != nil {
				t.Fatal(err)
			}
			if s.Status != taskspec.StatusCompleted || s.Attempt != 3 || s.MaxAttempts != 5 || string(output) != "item 3\n" || string(errs) != "e 3\n" {
				t.Errorf("got %+v, %q, %q", s, output, errs)
			}
			var events []string
			for e, err := range task.Events(p.ctx, true) {
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, e.Name)
			}
			begun, failed := []string{"task_spawning", "work_started"}, []string{"work_failed", "task_retried"}
			want := slices.Concat([]string{"task_initialized"}, begun, failed, begun, failed, begun, []string{"work_completed"})
			events = slices.DeleteFunc(events, func(name string) bool { return name == "output_spilled" })
			if diff := cmp.Diff(want, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			for attempt, want := range []string{1: "item 1\ne 1\n", 2: "item 2\ne 2\n", 3: "item 3\ne 3\n"} {
				var got text
				_, err := task.AttemptOutput(p.ctx, attempt, &got, nil)
				if attempt > 0 && err == nil {
					_, err = task.AttemptOutput(p.ctx, attempt, nil, &got)
				}
				if string(got) != want || (attempt == 0) != errors.Is(err, weft.ErrNoAttempt) {
					t.Errorf("attempt %d: %q, %v", attempt, got, err)
				}
			}
			// The files of the attempts stay when the result has been taken, and go with
			// the task.
			if _, err := c.Manager().Stop(p.ctx); err != nil {
				t.Fatal(err)
			}
			p.vanish()
			if err := task.Discard(p.ctx); err != nil {
				t.Fatal(err)
			}
			if report, err := c.System().Tidy(p.ctx, weft.TidyOptions{}); err != nil || report.Files != 0 || report.Tasks != 0 {
				t.Errorf("tidy has removed %d files and %d tasks: %v", report.Files, report.Tasks, err)
			}
			if report, err := c.System().Tidy(p.ctx, weft.TidyOptions{All: true}); err != nil || report.Tasks != 1 {
				t.Errorf("tidy has removed %d tasks: %v", report.Tasks, err)
			}
			if left, _ := filepath.Glob(filepath.Join(p.dir, ".weft", "outputs", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestRetryCauses lets tasks end in other ways before they complete.
func TestRetryCauses(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	c := p.open()
	// An attempt that has no time even to look at the file is one more that fails.
	mayEnd := filepath.Join(p.dir, "go")
	late := retrying(shell(`test -e "$1" || exec sleep 1000; echo done`, mayEnd), 1000, time.Millisecond)
	late.Timeout, late.StopGrace = 500*time.Millisecond, new(100*time.Millisecond)
	lost := retrying(shell(`test "$WEFT_EPOCH" -gt 1 || exec sleep 1000; echo done`), 2, time.Millisecond)
	for name, test := range map[string]struct {
		spec *taskspec.Spec
		end  func(tid string)
	}{
		"work_timeout": {late, func(tid string) {
			p.retried(tid, 1)
			if err := os.WriteFile(mayEnd, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"work_lost": {lost, func(tid string) {
			p.await("the beginning", func(e ledger.Event) bool { return e.TID == tid && e.Event == "work_started" })
			p.kill(p.task(tid).Consumer)
		}},
	} {
		task, err := c.SubmitContext(p.ctx, test.spec)
		if err != nil {
			t.Fatal(err)
		}
		test.end(task.TID())
		res, err := task.Result(p.ctx)
		if err != nil || res.Status != taskspec.StatusCompleted || res.Attempt < 2 || string(res.Output) != "done\n" {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		seen := false
		for e, err := range task.Events(p.ctx, false) {
			seen = seen || err == nil && e.Name == name
		}
		if !seen {
			t.Errorf("no event %s", name)
		}
	}
}

// TestRetryInput lets a task read a large input twice, which its policy would
// clear after an error.
func TestRetryInput(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	const size = 3 << 20
	spec := retrying(shell(`wc -c; test "$WEFT_EPOCH" -eq 2`), 2, time.Millisecond)
	spec.ReservedPolicyOnError = taskspec.PolicyClear
	res, err := p.open().RunContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader(strings.Repeat("x", size))})
	if err != nil || strings.TrimSpace(string(res.Output)) != strconv.Itoa(size) {
		t.Errorf("got %+v, %v", res, err)
	}
}

// TestNestedRetry has a task wait for one that it submits, while it holds the
// only slot; that one waits for its time and fails once, and others wait too.
func TestNestedRetry(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec := retrying(shell(`echo "inner $WEFT_EPOCH"; test "$WEFT_EPOCH" -eq 2`), 2, 50*time.Millisecond)
	spec.Delay = 50 * time.Millisecond
	inner, err := json.Marshal(call{Do: "run", Dir: p.dir, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := p.run(shell(`printf %s "$2" | "$1"`, exe, string(inner)))
	others := []*client{p.client(call{Do: "run", Spec: shell("true")}), p.client(call{Do: "run", Spec: retrying(shell("exit 1"), 2, 0)})}
	if l := c.answer(); !strings.Contains(l.Output, `"Output":"inner 2\n"`) {
		t.Errorf("got %+v", l)
	}
	for _, other := range others {
		other.last()
	}
}

// TestStopBackoff stops a task that waits for its next attempt, which is its end
// at once.
func TestStopBackoff(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	c := p.open()
	spec := retrying(shell("exit 1"), 3, time.Hour)
	spec.Retry.MaxBackoff = spec.Retry.Backoff
	task, err := c.SubmitContext(p.ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	p.retried(task.TID(), 1)
	s, err := task.Status(p.ctx)
	if err != nil || s.Status != taskspec.StatusCreated || s.Tried != 1 || !s.NotBefore.After(time.Now()) {
		t.Errorf("between attempts: %+v, %v", s, err)
	}
	if s, err = task.Stop(p.ctx); err != nil || s.Status != taskspec.StatusCancelled || s.Attempt != 1 {
		t.Errorf("stopped: %+v, %v", s, err)
	}
}

// TestKillManagerOfPending kills the manager while one task waits for its time
// and one for its next attempt. Both go on, and a client waits for them.
func TestKillManagerOfPending(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	waittest.InTime(t, time.Second, func(wait time.Duration) bool {
		delayed := shell("echo delayed")
		delayed.Delay = wait
		late, tid := p.run(delayed)
		flaky, other := p.run(retrying(shell(`echo "$WEFT_EPOCH"; test "$WEFT_EPOCH" -eq 2`), 2, wait))
		p.retried(other, 1)
		before := p.managers()
		p.kill(p.manager())
		pending := len(p.tasks(taskspec.StatusCreated)) == 2
		for c, want := range map[*client]line{
			late:  {TID: tid, Status: taskspec.StatusCompleted, Code: new(0), Output: "delayed\n"},
			flaky: {TID: other, Status: taskspec.StatusCompleted, Code: new(0), Output: "2\n"},
		} {
			if diff := cmp.Diff(want, c.answer()); pending && diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		}
		if n := p.managers(); pending && n != before+1 {
			t.Errorf("%d managers have led after %d", n, before)
		}
		return pending
	})
}

// TestIdleManagerOfPending has a manager stay beyond its lifetime, because a task
// will be due, for which no client waits.
func TestIdleManagerOfPending(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal", "WEFT_MANAGER_LIFETIME_TIMEOUT=0.2")
	spec := shell("true")
	spec.Delay = 1500 * time.Millisecond
	c := p.client(call{Do: "submit", Spec: spec})
	tid := c.answer().TID
	task := p.awaitEnd(tid)
	if begun := time.Unix(0, task.Started).Sub(time.Unix(0, task.Created)); task.Status != taskspec.StatusCompleted || begun < 1500*time.Millisecond {
		t.Errorf("task is %s and began after %v", task.Status, begun)
	}
	if n := p.managers(); n != 1 {
		t.Errorf("%d managers have led, want 1", n)
	}
}

// TestGroupRetryPolicy waits with others for the end of the last attempt.
func TestGroupRetryPolicy(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	c := p.open()
	specs := []*taskspec.Spec{
		retrying(shell(`test "$WEFT_EPOCH" -eq 3`), 3, time.Millisecond),
		retrying(shell("exit 4"), 2, time.Millisecond),
	}
	tasks, err := c.SubmitMany(p.ctx, specs)
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Add(p.ctx, tasks...); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for g.Len() > 0 {
		s, err := g.Next(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		got[s.TID] = string(s.Status) + strings.Repeat("!", s.Attempt)
	}
	want := map[string]string{tasks[0].TID(): "completed!!!", tasks[1].TID(): "failed!!"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
}
