//go:build linux

package weft_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"weft"
	"weft/taskspec"
)

// each yields the specs.
func each(specs ...*taskspec.Spec) iter.Seq2[*taskspec.Spec, error] {
	return func(yield func(*taskspec.Spec, error) bool) {
		for _, s := range specs {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// TestRunMany hands out the results of many tasks in order, with at most so
// many unfinished as it may have.
func TestRunMany(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	var specs []*taskspec.Spec
	for i := range 40 {
		specs = append(specs, shell("exit "+string(rune('0'+i%3))))
	}
	for _, o := range []weft.RunManyOptions{{}, {Limit: 3}, {AsCompleted: true}, {AsCompleted: true, Limit: 1}} {
		total, most := 0, 0
		o.Submitted = func(n int) { total = n }
		var tids []string
		failed := 0
		err := c.RunMany(p.ctx, each(specs...), o, func(task *weft.Task, s *weft.TaskStatus) (bool, error) {
			most = max(most, total-len(tids))
			tids = append(tids, s.TID)
			if s.TID != task.TID() || !s.Status.Terminal() {
				t.Errorf("task %s is %+v", task.TID(), s)
			}
			if s.Status == taskspec.StatusFailed {
				failed++
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if total != len(specs) || len(tids) != len(specs) || failed != 26 {
			t.Errorf("%+v: %d submitted, %d handed out, %d failed", o, total, len(tids), failed)
		}
		if !o.AsCompleted && !slices.IsSorted(tids) {
			t.Errorf("%+v: handed out in the order %v", o, tids)
		}
		if o.Limit > 0 && o.AsCompleted && most > o.Limit {
			t.Errorf("%+v: %d were unfinished at a time", o, most)
		}
		if left, _, err := c.PendingResults(p.ctx, 0); err != nil || len(left) > 0 {
			t.Errorf("%+v: %d results are left, %v", o, len(left), err)
		}
	}
}

// TestRunManyEnds ends it before its time, in every way.
func TestRunManyEnds(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	broken := errors.New("broken")
	count := 0
	counted := func(*weft.Task, *weft.TaskStatus) (bool, error) { count++; return true, nil }

	// A bad spec: those before it have been run.
	err := c.RunMany(p.ctx, func(yield func(*taskspec.Spec, error) bool) {
		if yield(weft.Command("true"), nil) && yield(weft.Command("echo"), nil) {
			yield(nil, broken)
		}
	}, weft.RunManyOptions{}, counted)
	if !errors.Is(err, broken) || count != 2 {
		t.Errorf("a bad spec: %v after %d tasks", err, count)
	}

	// Who gets the results has had enough: that one is not taken.
	err = c.RunMany(p.ctx, each(weft.Command("true"), weft.Command("true")), weft.RunManyOptions{Limit: 1},
		func(*weft.Task, *weft.TaskStatus) (bool, error) { return true, broken })
	if !errors.Is(err, broken) {
		t.Errorf("done failed: %v", err)
	}
	if left, _, err := c.PendingResults(p.ctx, 0); err != nil || len(left) != 1 {
		t.Errorf("%d results are left, %v", len(left), err)
	}

	// The context ends: what runs is stopped.
	ctx, cancel := context.WithCancelCause(p.ctx)
	err = c.RunMany(ctx, each(weft.Command("true"), weft.Command("sleep", "1000"), weft.Command("sleep", "61")), weft.RunManyOptions{},
		func(*weft.Task, *weft.TaskStatus) (bool, error) { cancel(broken); return true, nil })
	if !errors.Is(err, broken) {
		t.Errorf("cancelled: %v", err)
	}
	for s, err := range c.Tasks(p.ctx, weft.TaskFilter{Statuses: taskspec.Unfinished()}) {
		t.Errorf("a task goes on: %+v, %v", s, err)
	}
}
