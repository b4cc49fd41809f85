package weft_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// listed is a project with nothing but the records of n tasks, of which make
// says what they are like. It returns their ids, oldest first.
func listed(t *testing.T, n int, make func(i int, task *ledger.Task)) (p *weft.Project, tids []string) {
	t.Helper()
	p, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	const first, atOnce = 1_700_000_000_000_000_000, 1000
	for from := 0; from < n; from += atOnce {
		err := p.Broker().Update(t.Context(), func(tx *broker.Tx) error {
			tids = tids[:from]
			for i := from; i < min(from+atOnce, n); i++ {
				task := &ledger.Task{TID: fmt.Sprint(first + i), Status: taskspec.StatusCreated}
				make(i, task)
				if err := putTask(tx, task); err != nil {
					return err
				}
				tids = append(tids, task.TID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p, tids
}

// putTask stores the record of a task.
func putTask(tx *broker.Tx, task *ledger.Task) error {
	body, err := json.Marshal(task)
	if err != nil {
		return err
	}
	return tx.PutRecord(broker.Record{
		Kind: ledger.Kind, Key: task.TID, State: string(task.Status), Rank: int64(task.Number()), Body: string(body),
	})
}

// TestTasks lists more tasks than are read at once.
func TestTasks(t *testing.T) {
	t.Parallel()
	states := []taskspec.Status{taskspec.StatusCreated, taskspec.StatusRunning, taskspec.StatusCompleted, taskspec.StatusFailed}
	p, oldest := listed(t, 1010, func(i int, task *ledger.Task) {
		task.Name = []string{"odd-one", "even-one", "third"}[i%3]
		task.Status = states[i%4]
	})
	list := func(f weft.TaskFilter, most int) (tids []string) {
		t.Helper()
		for s, err := range p.Tasks(t.Context(), f) {
			if err != nil {
				t.Fatal(err)
			}
			if tids = append(tids, s.TID); len(tids) == most {
				break
			}
		}
		return tids
	}
	pick := func(keep func(i int) bool) (tids []string) {
		for i, tid := range oldest {
			if keep(i) {
				tids = append(tids, tid)
			}
		}
		return tids
	}
	twice := []taskspec.Status{taskspec.StatusFailed, taskspec.StatusCompleted, taskspec.StatusFailed}
	for name, test := range map[string]struct {
		filter weft.TaskFilter
		want   []string
	}{
		"all":         {weft.TaskFilter{}, pick(func(int) bool { return true })},
		"unfinished":  {weft.TaskFilter{Statuses: taskspec.Unfinished()}, pick(func(i int) bool { return i%4 < 2 })},
		"named twice": {weft.TaskFilter{Statuses: twice}, pick(func(i int) bool { return i%4 >= 2 })},
		"one status":  {weft.TaskFilter{Statuses: twice[:1]}, pick(func(i int) bool { return i%4 == 3 })},
		"a name":      {weft.TaskFilter{Name: "*-one"}, pick(func(i int) bool { return i%3 < 2 })},
		"both":        {weft.TaskFilter{Statuses: taskspec.Unfinished(), Name: "third"}, pick(func(i int) bool { return i%4 < 2 && i%3 == 2 })},
		"none":        {weft.TaskFilter{Statuses: []taskspec.Status{taskspec.StatusTimeout}}, nil},
	} {
		slices.Reverse(test.want)
		if got := list(test.filter, 0); !slices.Equal(got, test.want) {
			t.Errorf("%s: %d tasks, want %d, newest first", name, len(got), len(test.want))
		}
		test.filter.Oldest = true
		slices.Reverse(test.want)
		if got := list(test.filter, 0); !slices.Equal(got, test.want) {
			t.Errorf("%s: %d tasks, want %d, oldest first", name, len(got), len(test.want))
		}
	}
	if got := list(weft.TaskFilter{}, 1); !slices.Equal(got, oldest[len(oldest)-1:]) {
		t.Errorf("the newest is %v", got)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, seq := range map[string]struct {
		ctx  context.Context
		name string
	}{"a bad pattern": {t.Context(), "["}, "cancelled": {cancelled, ""}} {
		n := 0
		for s, err := range p.Tasks(seq.ctx, weft.TaskFilter{Name: seq.name}) {
			if n++; s != nil || err == nil {
				t.Errorf("%s: %v, %v", name, s, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d pairs, want 1", name, n)
		}
	}
}

// TestTasksMove lists tasks that all go from one status to another meanwhile:
// each comes once.
func TestTasksMove(t *testing.T) {
	t.Parallel()
	for _, move := range [][2]taskspec.Status{
		{taskspec.StatusCreated, taskspec.StatusRunning}, {taskspec.StatusRunning, taskspec.StatusCreated},
	} {
		p, oldest := listed(t, 350, func(_ int, task *ledger.Task) { task.Status = move[0] })
		var tids []string
		for s, err := range p.Tasks(t.Context(), weft.TaskFilter{Statuses: taskspec.Unfinished()}) {
			if err != nil {
				t.Fatal(err)
			}
			if tids = append(tids, s.TID); len(tids) > 1 {
				continue
			}
			err := p.Broker().Update(t.Context(), func(tx *broker.Tx) error {
				for _, tid := range oldest {
					if err := putTask(tx, &ledger.Task{TID: tid, Status: move[1]}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if slices.Reverse(tids); !slices.Equal(tids, oldest) {
			t.Errorf("%s to %s: %d tasks came, want %d", move[0], move[1], len(tids), len(oldest))
		}
	}
}

// TestLongTasks lists 100,000 tasks, with 2 KiB of standard error each, in
// little memory.
func TestLongTasks(t *testing.T) {
	waittest.NeedLong(t)
	const tasks, most = 100_000, 16 << 20 // bytes; all of the tasks are more than 200 MB
	p, _ := listed(t, tasks, func(_ int, task *ledger.Task) {
		task.Status = taskspec.StatusFailed
		task.Output.Stderr = []byte(strings.Repeat("x", 2048))
	})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, n, peak := heap(), 0, int64(0)
	for _, err := range p.Tasks(t.Context(), weft.TaskFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%10_000 == 0 {
			peak = max(peak, heap()-before)
		}
	}
	t.Logf("%d tasks; at most %d kB more than before", n, peak>>10)
	if n != tasks || peak > most {
		t.Errorf("%d tasks in %d bytes, want %d in %d", n, peak, tasks, most)
	}
}

// TestCountTasks counts tasks, also some that cannot be read: none is.
func TestCountTasks(t *testing.T) {
	t.Parallel()
	c, tids := listed(t, 9, func(i int, task *ledger.Task) {
		task.Status = []taskspec.Status{taskspec.StatusCreated, taskspec.StatusRunning, taskspec.StatusFailed}[min(i/2, 2)]
	})
	err := c.Broker().Update(t.Context(), func(tx *broker.Tx) error {
		id, err := broker.ParseID(tids[0])
		if err != nil {
			return err
		}
		return tx.PutRecord(broker.Record{Kind: ledger.Kind, Key: tids[0], State: string(taskspec.StatusCreated), Rank: int64(id), Body: "unreadable"})
	})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := c.CountTasks(t.Context())
	want := map[taskspec.Status]int{taskspec.StatusCreated: 2, taskspec.StatusRunning: 2, taskspec.StatusFailed: 5}
	if err != nil || !maps.Equal(counts, want) {
		t.Errorf("counts %v, %v; want %v", counts, err, want)
	}
	checks, err := c.System().Check(t.Context())
	if err != nil || !slices.ContainsFunc(checks, func(f weft.Finding) bool {
		return f.State == weft.FindingProblem && strings.Contains(f.Found, "unfinished tasks (4)")
	}) {
		t.Errorf("checks %+v, %v", checks, err)
	}
}

// TestTasksByTag finds the tasks that have a tag.
func TestTasksByTag(t *testing.T) {
	t.Parallel()
	p, tids := listed(t, 250, func(i int, task *ledger.Task) {
		if i%100 == 7 {
			task.Tags = []string{"other", "mine"}
		}
	})
	var got []string
	for s, err := range p.Tasks(t.Context(), weft.TaskFilter{Tag: "mine", Oldest: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.TID)
	}
	if want := []string{tids[7], tids[107], tids[207]}; !slices.Equal(got, want) {
		t.Errorf("tasks %q, want %q", got, want)
	}
}
