//go:build linux

package weft_test

import (
	"context"
	"errors"
	"iter"
	"maps"
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

// TestRunMany hands out the results of many tasks in order, while at most so
// many run as may.
func TestRunMany(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	var specs []*taskspec.Spec
	for i := range 40 {
		specs = append(specs, shell("exit "+string(rune('0'+i%3))))
	}
	for _, o := range []weft.RunManyOptions{{}, {Limit: 3}, {AsCompleted: true}, {AsCompleted: true, Limit: 1}, {ReadAhead: 2, AsCompleted: true}} {
		total, most, unfinished, all := 0, 0, 0, false
		o.Batch = weft.NewBatchID()
		o.Submitted = func(n int, end bool) { total, all = n, end }
		var tids []string
		failed := 0
		err := c.RunMany(p.ctx, each(specs...), o, func(task *weft.Task, s *weft.TaskStatus) (bool, error) {
			running, _, err := c.ConcurrencyUse(p.ctx, "batch:"+o.Batch)
			if err != nil {
				return false, err
			}
			most, unfinished = max(most, running), max(unfinished, total-len(tids))
			if s.Batch != o.Batch || *s.ReturnCode != (s.Line-1)%3 {
				t.Errorf("task %s is line %d of %q, and returned %d", s.TID, s.Line, s.Batch, *s.ReturnCode)
			}
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
		if !all || total != len(specs) || len(tids) != len(specs) || failed != 26 {
			t.Errorf("%+v: %d submitted, %d handed out, %d failed", o, total, len(tids), failed)
		}
		if !o.AsCompleted && !slices.IsSorted(tids) {
			t.Errorf("%+v: handed out in the order %v", o, tids)
		}
		if most > o.Limit {
			t.Errorf("%+v: %d ran at a time", o, most)
		}
		if o.ReadAhead > 0 && unfinished > o.ReadAhead {
			t.Errorf("%+v: %d were unfinished at a time", o, unfinished)
		}
		found := 0
		for s, err := range c.Tasks(p.ctx, weft.TaskFilter{Batch: o.Batch}) {
			if found++; err != nil || s.Batch != o.Batch {
				t.Errorf("%+v, %v", s, err)
			}
		}
		if found != len(specs) {
			t.Errorf("%+v: the batch has %d tasks", o, found)
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
	if left, _, err := c.PendingResults(p.ctx, 0); err != nil || len(left) == 0 {
		t.Errorf("%d results are left, %v", len(left), err)
	}

	// What cannot be submitted is refused, and the others run.
	places := map[int]bool{}
	count = 0
	err = c.RunMany(p.ctx, func(yield func(*taskspec.Spec, error) bool) {
		function := &taskspec.Spec{Name: "f", Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "none"}}
		_ = yield(weft.Command("true"), nil) && yield(nil, broken) && yield(nil, nil) && yield(function, nil) && yield(weft.Command(""), nil) && yield(weft.Command("true"), nil)
	}, weft.RunManyOptions{Refused: func(place int, err error) { places[place] = err != nil }}, counted)
	if want := map[int]bool{2: true, 4: true, 5: true}; err != nil || count != 2 || !maps.Equal(places, want) {
		t.Errorf("refused: %v after %d tasks, places %v", err, count, places)
	}

	// It is left: what has been read is submitted, and goes on.
	ctx, cancel := context.WithCancelCause(p.ctx)
	id := weft.NewBatchID()
	endless := func(yield func(*taskspec.Spec, error) bool) {
		for yield(weft.Command("sleep", "61"), nil) {
		}
	}
	err = c.RunMany(ctx, endless, weft.RunManyOptions{Batch: id, Limit: 1, ReadAhead: 3, Submitted: func(total int, _ bool) {
		if total == 3 {
			cancel(weft.ErrLeave)
		}
	}}, counted)
	if !errors.Is(err, weft.ErrLeave) {
		t.Errorf("left: %v", err)
	}
	gone := 0
	for s, err := range c.Tasks(p.ctx, weft.TaskFilter{Batch: id, Statuses: taskspec.Unfinished()}) {
		if err != nil {
			t.Fatal(err)
		}
		task, err := c.Task(p.ctx, s.TID)
		if err == nil {
			_, err = task.Kill(p.ctx)
		}
		if gone++; err != nil {
			t.Error(err)
		}
	}
	if gone <= 3 { // more were read than may be ahead
		t.Errorf("%d tasks of the batch go on", gone)
	}

	// The context ends: what runs is stopped, and what waits never starts.
	ctx, cancel = context.WithCancelCause(p.ctx)
	err = c.RunMany(ctx, each(weft.Command("true"), weft.Command("sleep", "1000"), weft.Command("sleep", "61")), weft.RunManyOptions{},
		func(*weft.Task, *weft.TaskStatus) (bool, error) { cancel(broken); return true, nil })
	if !errors.Is(err, broken) {
		t.Errorf("cancelled: %v", err)
	}
	for s, err := range c.Tasks(p.ctx, weft.TaskFilter{Statuses: taskspec.Unfinished()}) {
		t.Errorf("a task goes on: %+v, %v", s, err)
	}
}
