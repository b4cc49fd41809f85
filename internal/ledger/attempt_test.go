package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// retries is a spec that allows so many attempts, with this time between them.
func retries(attempts int, wait time.Duration, on ...string) func(*taskspec.Spec) {
	return func(s *taskspec.Spec) {
		s.Retry = &taskspec.RetryPolicy{
			MaxAttempts: &attempts, Backoff: new(wait), MaxBackoff: new(wait), Jitter: new(0.0), On: on,
		}
	}
}

// fail runs an attempt at a waiting task, which exits with 7.
func (p *project) fail(tid string, epoch int) {
	p.Helper()
	p.run(tid)
	if err := p.finish(attempt(tid, epoch, taskspec.Exited(7, ""))); err != nil {
		p.Fatal(err)
	}
}

// attempt is what a consumer reports of an attempt.
func attempt(tid string, epoch int, o taskspec.Outcome) *HandOff {
	h := handOff(tid, o)
	h.Epoch = epoch
	return h
}

// A task that fails twice and then completes: its record is never terminal
// before, every attempt is in the log, and each has its own result.
func TestRetries(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(retries(3, time.Minute))
	q := QueuesOf(tid)
	for epoch := 1; epoch <= 2; epoch++ {
		p.fail(tid, epoch)
		got := p.task(tid)
		if got.Status != taskspec.StatusCreated || got.NotBefore != at.Add(time.Minute).UnixNano() || got.Epoch != epoch || !MayRetry(got) {
			t.Fatalf("after attempt %d: %+v", epoch, got)
		}
		if held := slices.Concat(p.bodies(q.Reserved), p.bodies(q.Inbox), p.bodies(q.Outbox), p.requests()); len(held) > 0 {
			t.Errorf("after attempt %d there is %q", epoch, held)
		}
		if err := p.finish(attempt(tid, epoch, taskspec.Exited(7, ""))); err != nil {
			t.Errorf("repeated hand-off: %v", err)
		}
		p.promote(at.Add(time.Minute))
	}
	p.run(tid)
	if got := p.bodies(q.Reserved); !slices.Equal(got, []string{"item"}) {
		t.Errorf("work item of the last attempt: %q", got)
	}
	if MayRetry(p.task(tid)) {
		t.Error("another may follow the last one")
	}
	if err := p.finish(attempt(tid, 3, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	if got := p.task(tid); got.Status != taskspec.StatusCompleted || got.Epoch != 3 || got.MaxAttempts != 3 || got.Error != "" {
		t.Errorf("at the end: %+v", got)
	}
	var events []string
	for _, e := range p.history(tid) {
		events = append(events, fmt.Sprint(e.Event, " ", e.Status, " ", e.Attempt))
	}
	once := []string{"task_spawning spawning 0", "work_started running 0"}
	failed := func(n int) []string { return []string{"work_failed failed 0", fmt.Sprint("task_retried created ", n)} }
	want := slices.Concat([]string{"task_initialized created 0"}, once, failed(1), once, failed(2), once, []string{"work_completed completed 0"})
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for epoch := range 4 {
		err := p.b.View(ctx, func(r broker.Reader) error {
			past, err := PastAttempt(r, tid, epoch)
			if err == nil && (past.Status != taskspec.StatusFailed || *past.ReturnCode != 7 || past.Epoch != epoch) {
				t.Errorf("attempt %d was %+v", epoch, past)
			}
			return err
		})
		if kept := epoch == 1 || epoch == 2; kept != (err == nil) || !kept && !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("attempt %d: %v", epoch, err)
		}
	}
	if got := p.bodies(q.Attempts); len(got) != 2 {
		t.Errorf("results of the attempts before: %q", got)
	}
	p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
	p.forget(Retention{Tasks: 1, Age: time.Nanosecond}, time.Now().Add(time.Hour))
	if s := p.state(); len(s.Records[attemptKind]) > 0 || len(s.Messages[q.Attempts]) > 0 {
		t.Error("attempts at a task that is forgotten")
	}
}

// Which ends are followed by another attempt, and what becomes of the work item
// of the last one.
func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy  func(*taskspec.Spec)
		outcome taskspec.Outcome
		ordered Command
		again   bool
		unread  bool // the order
	}{
		"no policy":     {func(*taskspec.Spec) {}, taskspec.Exited(1, ""), "", false, false},
		"failed":        {retries(2, 0), taskspec.Exited(1, ""), "", true, false},
		"timeout":       {retries(2, 0), taskspec.TimedOut(1), "", true, false},
		"limit":         {retries(2, 0), taskspec.Limited("", ""), "", true, false},
		"lost":          {retries(2, 0), taskspec.Lost(), "", true, false},
		"interrupted":   {retries(1, 0), taskspec.Interrupted(), "", true, false},
		"stopped":       {retries(2, 0), taskspec.Stopped(), "", false, false},
		"killed":        {retries(2, 0), taskspec.Killed(), "", false, false},
		"completed":     {retries(2, 0), taskspec.Exited(0, ""), "", false, false},
		"not for this":  {retries(2, 0, taskspec.RetryOnLost), taskspec.Exited(1, ""), "", false, false},
		"stop, failed":  {retries(2, 0), taskspec.Exited(1, ""), CommandStop, false, false},
		"kill, lost":    {retries(2, 0), taskspec.Lost(), CommandKill, false, false},
		"stop, unread":  {retries(2, 0), taskspec.Exited(1, ""), CommandStop, false, true},
		"kill, unread":  {retries(2, 0), taskspec.Lost(), CommandKill, false, true},
		"last attempt":  {retries(1, 0), taskspec.Exited(1, ""), "", false, false},
		"not for lost":  {retries(2, 0, taskspec.RetryOnError), taskspec.Lost(), "", false, false},
		"for lost only": {retries(2, 0, taskspec.RetryOnLost), taskspec.Lost(), "", true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit(test.policy, policies(taskspec.PolicyRequeue, taskspec.PolicyRequeue))
			p.run(tid)
			p.update(func(tx *broker.Tx) error {
				if test.ordered == "" {
					return nil
				}
				if _, err := End(tx, tid, test.ordered, at); err != nil || test.unread {
					return err
				}
				_, err := ReadTaskControl(tx, tid, at)
				return err
			})
			err := p.try(func(tx *broker.Tx) error {
				if test.outcome.Event == taskspec.EventWorkLost {
					return MarkLost(tx, tid, 1, at)
				}
				return Finish(tx, handOff(tid, test.outcome), nil)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.task(tid); (got.Status == taskspec.StatusCreated) != test.again || !test.again && got.Status != test.outcome.Status {
				t.Errorf("task is %+v", got)
			}
			if test.again {
				p.run(tid) // it had not to wait
			}
		})
	}
}

// After a retry that somebody asked for, the policy counts anew.
func TestRetriesAfterAgain(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(retries(2, 0))
	p.fail(tid, 1)
	p.fail(tid, 2)
	if got := p.task(tid); got.Status != taskspec.StatusFailed {
		t.Fatalf("after two attempts: %s", got.Status)
	}
	p.update(func(tx *broker.Tx) error { _, _, err := Retry(tx, tid, at); return err })
	p.fail(tid, 3)
	if got := p.task(tid); got.Status != taskspec.StatusCreated || got.Base != 2 {
		t.Fatalf("after the third: %+v", got)
	}
	p.fail(tid, 4)
	if got := p.task(tid); got.Status != taskspec.StatusFailed || got.Epoch != 4 {
		t.Errorf("after the fourth: %+v", got)
	}
}

// A task that is stopped before its second attempt leaves nothing when it is
// forgotten.
func TestForgetRetried(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(retries(2, time.Hour))
	p.fail(tid, 1)
	p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err })
	if n := p.forget(Retention{Age: time.Nanosecond}, time.Now().Add(time.Hour)); n != 1 {
		t.Errorf("%d tasks forgotten", n)
	}
	s := p.state()
	if len(s.Records[attemptKind])+len(s.Records[indexKind])+len(s.Messages) > 0 {
		t.Errorf("left is %+v", s)
	}
}

// Of very many attempts only the latest are kept.
func TestRetriesKept(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(retries(100, 0))
	for epoch := 1; epoch <= maxKept+3; epoch++ {
		p.fail(tid, epoch)
	}
	s := p.state()
	var kept []string
	for _, r := range s.Records[attemptKind] {
		kept = append(kept, r.Key)
	}
	if len(kept) != maxKept || kept[0] != attemptKey(tid, 4) || len(s.Messages[QueuesOf(tid).Attempts]) != maxKept {
		t.Errorf("kept are %q and %d results", kept, len(s.Messages[QueuesOf(tid).Attempts]))
	}
}

// A task whose work item somebody has taken away ends with its attempt.
func TestRetriesWithoutItem(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(retries(3, 0))
	p.run(tid)
	if _, err := p.b.Queue(QueuesOf(tid).Reserved).Delete(ctx, broker.Select{}); err != nil {
		t.Fatal(err)
	}
	if err := p.finish(handOff(tid, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	if got := p.task(tid); got.Status != taskspec.StatusFailed {
		t.Errorf("task is %+v", got)
	}
}

// A request that does not fit a message any more, since its item was an object and is text
// now, cannot be repeated; the task ends.
func TestRetriesTooLarge(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{MaxMessage: 3000}})
	spec := must(encodeSpec(echo(retries(3, 0))))
	tid := p.write(Requests, fmt.Sprintf(`{"taskspec":%s,"inbox_message":{"stdin":"%s"}}`, spec, strings.Repeat(`\"`, 1200))).String()
	p.run(tid)
	if err := p.finish(handOff(tid, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	if got := p.task(tid); got.Status != taskspec.StatusFailed {
		t.Errorf("task is %+v", got)
	}
}

// What was made ready for an attempt does not begin the next one: it has the input
// and the environment of its time.
func TestDispatchOfEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, submit := range map[string]func(p *project) (tid string){
		"submitted": func(p *project) string { return p.submit() },
		"by hand": func(p *project) string {
			return p.write(Requests, `{"name": "x", "spec": {"type": "command", "process_target": "echo"}}`).String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := submit(p)
			early := p.prepare(tid)
			p.fail(tid, 1)
			if _, err := p.retry(tid); err != nil {
				t.Fatal(err)
			}
			before := p.state()
			err := p.try(func(tx *broker.Tx) error {
				got, err := Dispatch(tx, early, consumer, at)
				if got != nil && err == nil {
					t.Errorf("attempt %d was begun", got.Epoch)
				}
				return err
			})
			if err != nil && !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
			p.unchanged(before)
			p.run(tid)
		})
	}
}
