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

// TestRandomRetries runs tasks with random failures, delays and policies while
// managers are killed at random.
func TestRandomRetries(t *testing.T) { randomRetries(t, 200) }

// TestLongRandomRetries is the same for 10,000 tasks.
func TestLongRandomRetries(t *testing.T) {
	waittest.NeedLong(t)
	randomRetries(t, 10_000)
}

// retrySlots is how many tasks of a retryRun may run at once.
const retrySlots = 6

// A retryRun is a project in which tasks fail and are retried at random.
type retryRun struct {
	*project
	random   *rand.Rand
	ledger   string             // the file in which the tasks sign
	outcomes map[string]outcome // by TID
}

// An outcome is what has to happen to a task: fails attempts exit with 1.
type outcome struct {
	spec  *taskspec.Spec
	fails int
}

// attempts is the number of attempts the task has to have.
func (f outcome) attempts() int { return min(f.fails+1, f.spec.Retry.Attempts()) }

// status is the state in which the task has to end.
func (f outcome) status() taskspec.Status {
	if f.fails < f.spec.Retry.Attempts() {
		return taskspec.StatusCompleted
	}
	return taskspec.StatusFailed
}

func randomRetries(t *testing.T, tasks int) {
	seed := seed(t)
	p := newProject(t, "WEFT_DURABILITY=normal", fmt.Sprint("WEFT_MAX_TASKS=", retrySlots))
	p.patient(30 * time.Minute)
	// The manager that this process starts has to know too.
	t.Setenv("WEFT_MAX_TASKS", fmt.Sprint(retrySlots))
	s := &retryRun{project: p, random: rand.New(rand.NewPCG(seed, 0)), ledger: filepath.Join(p.dir, "ledger"), outcomes: make(map[string]outcome)}
	began := time.Now()
	over := make(chan error, 1)
	batch := s.submit(tasks)
	go func() { over <- waitAll(p, batch) }()
	kills := 0
	for done := false; !done; {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		case <-time.After(time.Duration(s.random.Int64N(int64(waittest.Scale(time.Second))))): // a random time, at which a manager may also have come far
			if m := s.currentManager(); m != nil && m.Process.Signal(syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	batch.Close()
	attempts, most, latest := s.judge()
	t.Logf("%d tasks, %d attempts, at most %d at once, %d managers killed, the latest attempt %v after it was due, in %v",
		tasks, attempts, most, kills, latest.Round(time.Millisecond), time.Since(began).Round(time.Second))
}

// submit submits the tasks, some hundred at once, to a batch that waits for
// them.
func (s *retryRun) submit(tasks int) *weft.Batch {
	s.t.Helper()
	p := s.open()
	batch, err := p.NewBatch()
	if err != nil {
		s.t.Fatal(err)
	}
	for len(s.outcomes) < tasks {
		some := make([]outcome, min(500, tasks-len(s.outcomes)))
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
			s.outcomes[task.TID()] = some[i]
		}
		if err := batch.Add(s.ctx, submitted...); err != nil {
			s.t.Fatal(err)
		}
	}
	return batch
}

// draw makes a random task.
func (s *retryRun) draw() outcome {
	f := outcome{fails: max(0, s.random.IntN(6)-2)}
	f.spec = shell(sign+`sign start; test "$WEFT_EPOCH" -gt "$2"; code=$?; sign end; exit $code`, s.ledger, fmt.Sprint(f.fails))
	if s.random.IntN(3) == 0 {
		f.spec.Delay = time.Duration(2 * s.random.Float64() * float64(time.Second))
	}
	if s.random.IntN(5) > 0 {
		f.spec.Retry = &taskspec.RetryPolicy{
			MaxAttempts: new(1 + s.random.IntN(4)),
			Backoff:     new(time.Duration(s.random.Float64() * float64(time.Second) / 2)),
			Jitter:      new(s.random.Float64()),
		}
	}
	return f
}

// waitAll waits for the end of all tasks, and has a manager started whenever
// there is none.
func waitAll(p *project, batch *weft.Batch) error {
	for {
		if _, err := batch.Next(p.ctx); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// judge compares what happened with what had to happen. It returns the number of
// attempts, the most at one time, and the longest delay of an attempt.
func (s *retryRun) judge() (attempts, most int, latest time.Duration) {
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
	if len(all) != len(s.outcomes) {
		t.Errorf("%d tasks, want %d", len(all), len(s.outcomes))
	}
	for _, task := range all {
		f := s.outcomes[task.TID]
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

// judgeLog reads all events: no more tasks ran at one time than there are slots, and no
// attempt began before it was due.
func (s *retryRun) judgeLog() (most int, latest time.Duration) {
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
			due[e.TID] = now.Add(s.outcomes[e.TID].spec.Delay)
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
	if most > retrySlots {
		s.t.Errorf("%d tasks ran at once in %d slots", most, retrySlots)
	}
	return most, latest
}
