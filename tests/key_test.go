//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// keyed is a task with a key that writes the key to the file.
func keyed(file, key string) *taskspec.Spec {
	s := shell(`echo "$2" >> "$1"; echo "$2"`, file, key)
	s.Key = key
	return s
}

// inputs are the spooled inputs of the project.
func (p *project) inputs() []string {
	p.t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, ".weft", "outputs", "*.in"))
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

// TestKey submits a task again, before and after its end, and one that is
// another.
func TestKey(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	file := filepath.Join(p.dir, "ran")
	first, err := c.SubmitContext(p.ctx, keyed(file, "a"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.RunContext(p.ctx, keyed(file, "a"), weft.SubmitOptions{Dir: "/", Env: []string{"PATH=/bin"}})
	if err != nil || res.TID != first.TID() || string(res.Output) != "a\n" || res.Key != "a" {
		t.Errorf("run again: %+v, %v", res, err)
	}
	again, err := c.SubmitContext(p.ctx, keyed(file, "a"))
	if err != nil || again.TID() != first.TID() || !first.IsNew() || again.IsNew() {
		t.Errorf("submitted after its end: %+v, %v", again, err)
	}
	if res, err := again.Result(p.ctx); !errors.Is(err, weft.ErrResultConsumed) || res.Status != taskspec.StatusCompleted {
		t.Errorf("its result: %+v, %v", res, err)
	}

	if res, err := c.RunContext(p.ctx, keyed(file, "a")); !errors.Is(err, weft.ErrResultConsumed) || res.TID != first.TID() {
		t.Errorf("run after its result was taken: %+v, %v", res, err)
	}

	other := keyed(file, "a")
	other.Description = "another"
	task, err := c.SubmitContext(p.ctx, other)
	if e, ok := errors.AsType[*weft.KeyError](err); !ok || !errors.Is(err, weft.ErrKeyHeld) || e.Key != "a" || e.TID != first.TID() || task != nil {
		t.Errorf("another task with its key: %v, %v", task, err)
	}
	if _, err := c.SubmitContext(p.ctx, keyed(file, strings.Repeat("k", 201))); err == nil {
		t.Error("a key of 201 characters was accepted")
	}

	// Those of one call.
	both := []*taskspec.Spec{keyed(file, "b"), weft.Command("true"), keyed(file, "b"), keyed(file, "a")}
	tasks, err := c.SubmitMany(p.ctx, both)
	if err != nil {
		t.Fatal(err)
	}
	fresh := []bool{}
	for _, task := range tasks {
		fresh = append(fresh, task.IsNew())
		if _, err := task.Wait(p.ctx); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(fresh, []bool{true, true, false, false}) || tasks[2].TID() != tasks[0].TID() || tasks[3].TID() != first.TID() {
		t.Errorf("submitted at once: %v, fresh %v", tasks, fresh)
	}
	count := len(p.tasks())
	_, err = c.SubmitMany(p.ctx, []*taskspec.Spec{weft.Command("true"), keyed(file, "c"), keyed("elsewhere", "c")})
	if e, ok := errors.AsType[*weft.KeyError](err); !ok || e.Key != "c" || e.TID != "" {
		t.Errorf("two tasks with one key at once: %v", err)
	}
	if n := len(p.tasks()); n != count {
		t.Errorf("%d tasks were accepted with an error", n-count)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a\nb\n" {
		t.Errorf("what ran: %q, %v", text, err)
	}
}

// TestKeyInput submits a task with a large input again: the second one is not
// kept.
func TestKeyInput(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	spec := weft.Command("wc", "-c")
	spec.Key = "count"
	input := strings.Repeat("x", 100_000)
	first, err := c.SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader(input)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}
	before := p.inputs()
	again, err := c.SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader(input)})
	if err != nil || again.TID() != first.TID() {
		t.Errorf("submitted again: %+v, %v", again, err)
	}
	if _, err := c.SubmitContext(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader(input + "y")}); err == nil {
		t.Error("another input was accepted")
	}
	for _, name := range p.inputs() { // the consumer removes its own
		if !slices.Contains(before, name) {
			t.Errorf("an input is left: %s", name)
		}
	}
	if res, err := again.Result(p.ctx); err != nil || string(res.Output) != "100000\n" {
		t.Errorf("result %+v, %v", res, err)
	}
}

// TestKeyMany runs many specs of which some have the same key.
func TestKeyMany(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	file := filepath.Join(p.dir, "ran")
	var specs []*taskspec.Spec
	for i := range 20 {
		specs = append(specs, keyed(file, fmt.Sprint(i%7)), weft.Command("true"))
	}
	tids := make(map[string]int)
	for i, o := range []weft.RunManyOptions{{}, {Limit: 2}, {AsCompleted: true, Limit: 1}} {
		handed := 0
		err := c.RunMany(p.ctx, each(specs...), o, func(task *weft.Task, s *weft.TaskStatus) (bool, error) {
			handed++
			tids[s.TID]++
			return true, nil
		})
		if err != nil || handed != 27 {
			t.Errorf("%+v: %d tasks handed out, %v", o, handed, err)
		}
		if want := 7 + 20*(i+1); len(tids) != want {
			t.Errorf("%+v: %d tasks in all, want %d", o, len(tids), want)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || len(text) != 2*7 {
		t.Errorf("what ran: %q, %v", text, err)
	}
}

// TestKeyGroup waits for a task that ended long ago, of whose end the log says
// nothing any more.
func TestKeyGroup(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	if _, err := c.RunContext(p.ctx, weft.Command("true")); err != nil {
		t.Fatal(err)
	}
	old := p.tasks()[0].TID
	var events []broker.Message
	err := c.Broker().Update(p.ctx, func(tx *broker.Tx) (err error) {
		events, err = tx.Read(ledger.Log, broker.Select{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the examination wants to see them
		if err := c.Broker().Update(p.ctx, func(tx *broker.Tx) error { return tx.Restore(events...) }); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.RunContext(p.ctx, weft.Command("true")); err != nil {
		t.Fatal(err)
	}
	g, err := c.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	task, err := c.Task(p.ctx, old)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(p.ctx, task); err != nil {
		t.Fatal(err)
	}
	if s, err := g.Next(p.ctx); err != nil || s.TID != old {
		t.Errorf("next: %+v, %v", s, err)
	}
}

// TestKeyOnce submits more tasks than there are keys, from two processes at
// once: those with the same key are one, and each runs once.
func TestKeyOnce(t *testing.T) { keyOnce(t, 200, 20) }

// TestLongKeyOnce is the same for 10,000 submissions.
func TestLongKeyOnce(t *testing.T) {
	waittest.NeedLong(t)
	keyOnce(t, 10_000, 1000)
}

// keyOnce makes submissions of which some repeat a key of another one.
func keyOnce(t *testing.T, submissions, repeated int) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	p.patient(15 * time.Minute)
	file := filepath.Join(p.dir, "ran")
	keys := submissions - repeated
	var clients []*client
	for i := range 2 {
		clients = append(clients, p.client(call{Do: "keys", Load: load{
			Tasks: submissions, Repeated: repeated, Part: i, Parallel: 4, Ledger: file,
		}}))
	}
	tids := make(map[string]string) // by key
	var mu sync.Mutex
	var all sync.WaitGroup
	total := 0
	for _, c := range clients {
		all.Go(func() {
			for {
				l, err := c.next()
				if err != nil {
					break
				}
				mu.Lock()
				total++
				if tid, known := tids[l.Output]; known && tid != l.TID {
					t.Errorf("key %s is held by %s and by %s", l.Output, tid, l.TID)
				}
				tids[l.Output] = l.TID
				mu.Unlock()
			}
			if err := c.wait(); err != nil {
				t.Errorf("client failed: %v\n%s", err, c.erred.String())
			}
		})
	}
	all.Wait()
	if total != submissions || len(tids) != keys {
		t.Errorf("%d submissions of %d keys, want %d of %d", total, len(tids), submissions, keys)
	}
	c := p.open()
	for _, tid := range tids {
		task, err := c.Task(p.ctx, tid)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := task.Wait(p.ctx); err != nil || s.Status != taskspec.StatusCompleted {
			t.Errorf("task %s: %+v, %v", tid, s, err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ran := strings.Fields(string(text))
	slices.Sort(ran)
	if n := len(slices.Compact(slices.Clone(ran))); len(ran) != keys || n != keys {
		t.Errorf("%d tasks ran, of %d keys, want %d", len(ran), n, keys)
	}
	if n := len(p.tasks()); n != keys {
		t.Errorf("%d tasks, want %d", n, keys)
	}
}
