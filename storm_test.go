//go:build linux

package weft_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestRetryStorm runs tasks with random failures, delays and policies while
// managers are being killed at random.
func TestRetryStorm(t *testing.T) { retryStorm(t, 200) }

// TestLongRetryStorm is the same for 10,000 tasks.
func TestLongRetryStorm(t *testing.T) {
	waittest.NeedLong(t)
	retryStorm(t, 10_000)
}

// stormSlots is how many tasks of a storm may run at once.
const stormSlots = 6

// A storm is a project with such tasks.
type storm struct {
	*project
	random *rand.Rand
	ledger string           // where the tasks sign
	fated  map[string]fated // by TID
}

// fated is what is to become of a task: it exits with 1 in so many attempts.
type fated struct {
	spec  *taskspec.Spec
	fails int
}

// attempts is how many there have to be.
func (f fated) attempts() int { return min(f.fails+1, f.spec.Spec.Retry.Attempts()) }

// status is how the task has to end.
func (f fated) status() taskspec.Status {
	if f.fails < f.spec.Spec.Retry.Attempts() {
		return taskspec.StatusCompleted
	}
	return taskspec.StatusFailed
}

func retryStorm(t *testing.T, tasks int) {
	seed := seed(t)
	p := newProject(t, "WEFT_DURABILITY=normal", fmt.Sprint("WEFT_MAX_TASKS=", stormSlots))
	p.patient(30 * time.Minute)
	// The manager that this process starts has to know too.
	t.Setenv("WEFT_MAX_TASKS", fmt.Sprint(stormSlots))
	s := &storm{project: p, random: rand.New(rand.NewPCG(seed, 0)), ledger: filepath.Join(p.dir, "ledger"), fated: make(map[string]fated)}
	began := time.Now()
	over := make(chan error, 1)
	group := s.submit(tasks)
	go func() { over <- waitAll(p, group) }()
	kills := 0
	for done := false; !done; {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		case <-time.After(time.Duration(s.random.Int64N(int64(waittest.Scale(time.Second))))): // a random moment, in which a manager may also have come far
			if m := s.currentManager(); m != nil && m.Process.Signal(syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	group.Close()
	attempts, most, latest := s.judge()
	t.Logf("%d tasks, %d attempts, at most %d at once, %d managers killed, the latest attempt %v after it was due, in %v",
		tasks, attempts, most, kills, latest.Round(time.Millisecond), time.Since(began).Round(time.Second))
}

// submit submits the tasks, some hundred at once, to a group that waits for
// them.
func (s *storm) submit(tasks int) *weft.Batch {
	s.t.Helper()
	p := s.open()
	group, err := p.NewBatch()
	if err != nil {
		s.t.Fatal(err)
	}
	for len(s.fated) < tasks {
		some := make([]fated, min(500, tasks-len(s.fated)))
		specs := make([]*taskspec.Spec, len(some))
		for i := range some {
			some[i] = s.draw()
			specs[i] = some[i].spec
		}
		submitted, err := p.SubmitMany(s.ctx, specs)
		if err != nil {
			s.t.Fatal(err)
		}
		for i, task := range submitted {
			s.fated[task.TID()] = some[i]
		}
		if err := group.Add(s.ctx, submitted...); err != nil {
			s.t.Fatal(err)
		}
	}
	return group
}

// draw makes up a task.
func (s *storm) draw() fated {
	f := fated{fails: max(0, s.random.IntN(6)-2)}
	f.spec = shell(sign+`sign start; test "$WEFT_EPOCH" -gt "$2"; code=$?; sign end; exit $code`, s.ledger, fmt.Sprint(f.fails))
	if s.random.IntN(3) == 0 {
		f.spec.Spec.DelaySeconds = 2 * s.random.Float64()
	}
	if s.random.IntN(5) > 0 {
		f.spec.Spec.Retry = &taskspec.RetryPolicy{
			MaxAttempts:    new(1 + s.random.IntN(4)),
			BackoffSeconds: new(s.random.Float64() / 2),
			Jitter:         new(s.random.Float64()),
		}
	}
	return f
}

// waitAll waits for the end of all tasks, and has a manager started whenever
// there is none.
func waitAll(p *project, group *weft.Batch) error {
	for {
		if _, err := group.Next(p.ctx); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// judge compares what happened with what had to. It returns how many attempts
// there were, how many at most at once, and by how much the latest was late.
func (s *storm) judge() (attempts, most int, latest time.Duration) {
	t := s.t
	text, err := os.ReadFile(s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	signed := make(map[string]int)
	for line := range bytes.Lines(text) {
		signed[strings.TrimSpace(string(line))]++
	}
	all := s.tasks()
	if len(all) != len(s.fated) {
		t.Errorf("%d tasks, want %d", len(all), len(s.fated))
	}
	for _, task := range all {
		f := s.fated[task.TID]
		attempts += task.Epoch
		if task.Status != f.status() || task.Epoch != f.attempts() {
			t.Errorf("task %s is %s (%s) after %d attempts, want %s after %d", task.TID, task.Status, task.Error, task.Epoch, f.status(), f.attempts())
		}
		for epoch := 1; epoch <= task.Epoch; epoch++ {
			for _, what := range []string{"start", "end"} {
				line := fmt.Sprint(what, " ", task.TID, " ", epoch)
				if signed[line] != 1 {
					t.Errorf("%d × %s", signed[line], line)
				}
				delete(signed, line)
			}
		}
	}
	for line, n := range signed {
		t.Errorf("the ledger has %d × %q, which is no attempt at a task", n, line)
	}
	most, latest = s.judgeLog()
	return attempts, most, latest
}

// judgeLog goes through all that happened: never did more run than there are
// slots, and nothing began before it was due.
func (s *storm) judgeLog() (most int, latest time.Duration) {
	running, due := 0, make(map[string]time.Time)
	for m, err := range s.open().Queue(ledger.Log).Messages(s.ctx, broker.Select{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		var e ledger.Event
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			s.t.Fatal(err)
		}
		now := time.Unix(0, e.Timestamp)
		switch {
		case e.Event == "task_initialized":
			due[e.TID] = now.Add(s.fated[e.TID].spec.Spec.Delay())
		case e.Event == "task_retried":
			due[e.TID] = time.Unix(0, e.NotBefore)
		case e.Event == "work_started":
			running++
			if early := due[e.TID].Sub(now); early > 0 {
				s.t.Errorf("an attempt at task %s began %v before it was due", e.TID, early)
			}
			latest = max(latest, now.Sub(due[e.TID]))
		case e.Status.Terminal() && strings.HasPrefix(e.Event, "work_"):
			running--
		}
		most = max(most, running)
	}
	if most > stormSlots {
		s.t.Errorf("%d tasks ran at once in %d slots", most, stormSlots)
	}
	return most, latest
}
