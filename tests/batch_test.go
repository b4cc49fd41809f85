//go:build linux

package weft_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestGroup submits many tasks at once and waits for them as they end.
func TestGroup(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	specs := make([]*taskspec.Spec, 60)
	for i := range specs {
		specs[i] = weft.Command("true")
		if i%3 == 0 {
			specs[i] = weft.Command("false")
		}
	}
	tasks, err := c.SubmitMany(p.ctx, specs, weft.SubmitOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(tasks, func(a, b *weft.Task) int { return strings.Compare(a.TID(), b.TID()) }) {
		t.Error("ids are not in the order of the specs")
	}
	g, err := c.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	early, late := tasks[:20], tasks[20:]
	// Two of them have ended before they are added, one of which is older than
	// what the group has read.
	for _, task := range []*weft.Task{early[3], late[3]} {
		if _, err := task.Wait(p.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Add(p.ctx, late...); err != nil {
		t.Fatal(err)
	}
	ended := make(map[string]taskspec.Status)
	next := func() {
		s, err := g.Next(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := ended[s.TID]; twice {
			t.Errorf("task %s was returned twice", s.TID)
		}
		ended[s.TID] = s.Status
	}
	next()
	if err := g.Add(p.ctx, early...); err != nil {
		t.Fatal(err)
	}
	if left := g.Len(); left != 59 {
		t.Errorf("%d tasks are left, want 59", left)
	}
	for g.Len() > 0 {
		next()
	}
	if _, err := g.Next(p.ctx); !errors.Is(err, io.EOF) {
		t.Errorf("next of none: %v", err)
	}
	for i, task := range tasks {
		want := taskspec.StatusCompleted
		if i%3 == 0 {
			want = taskspec.StatusFailed
		}
		if ended[task.TID()] != want {
			t.Errorf("task %d is %q, want %q", i, ended[task.TID()], want)
		}
	}
}

// TestGroupRetry waits for the end of the last attempt and not of an earlier
// one, which is in the log too.
func TestGroupRetry(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	task, err := c.SubmitContext(p.ctx, shell(`sleep "$WEFT_EPOCH"`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}
	if err := task.Retry(p.ctx); err != nil {
		t.Fatal(err)
	}
	g, err := c.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Add(p.ctx, task); err != nil {
		t.Fatal(err)
	}
	if s, err := g.Next(p.ctx); err != nil || s.Attempt != 2 || s.Status != taskspec.StatusCompleted {
		t.Errorf("next is %+v, %v", s, err)
	}
}

// TestGroupLosesLog clears the log in which the group would have read of an end.
func TestGroupLosesLog(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	g, err := c.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	task, err := c.SubmitContext(p.ctx, weft.Command("true"))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(p.ctx, task); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}
	log, err := c.Queue(ledger.Log).ReadAll(p.ctx, broker.Select{})
	if err != nil {
		t.Fatal(err)
	}
	// Back where it was, for the checks at the end of the test.
	defer func() {
		if err := c.Broker().Update(p.ctx, func(tx *broker.Tx) error { return tx.Restore(log...) }); err != nil {
			t.Error(err)
		}
	}()
	if s, err := g.Next(p.ctx); err != nil || s.TID != task.TID() || s.Status != taskspec.StatusCompleted {
		t.Errorf("next is %+v, %v", s, err)
	}
}

func TestSubmitMany(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	bad := weft.Command("true")
	bad.ProcessTarget = ""
	if _, err := c.SubmitMany(p.ctx, []*taskspec.Spec{weft.Command("true"), bad}); err == nil {
		t.Error("a bad spec is accepted")
	} else if invalid, ok := errors.AsType[*taskspec.ValidationError](err); !ok {
		t.Errorf("%v is no %T", err, invalid)
	}
	if tasks := p.tasks(); len(tasks) > 0 {
		t.Errorf("%d tasks were submitted with a bad one", len(tasks))
	}
	if tasks, err := c.SubmitMany(p.ctx, nil); err != nil || len(tasks) > 0 {
		t.Errorf("none: %v, %v", tasks, err)
	}
}
