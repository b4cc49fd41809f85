package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// noBytes says of no task that it has any output.
func noBytes(*Task) int64 { return 0 }

// forget removes what tasks can go, a few at a time.
func (p *project) forget(keep Retention, now time.Time) (n int) {
	p.Helper()
	p.update(func(tx *broker.Tx) error {
		n = 0
		ended, err := CountEnded(tx)
		if err != nil {
			return err
		}
		left := keep.Surplus(ended, 0, now)
		for after := int64(0); ; {
			gone, next, err := Forget(tx, &left, noBytes, after, atOnce)
			if n += gone.Tasks; err != nil || next == 0 {
				return err
			}
			after = next
		}
	})
	return n
}

// TestSurplus decides how many tasks go, and which.
func TestSurplus(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour)
	now := time.Unix(0, 100*hour)
	// Ten tasks of ten bytes were submitted an hour apart, the first at one o'clock, and ended
	// after half an hour; the third has run for ninety hours.
	ended := func(n int64) int64 {
		if n == 3 {
			return 93 * hour
		}
		return n*hour + hour/2
	}
	for name, test := range map[string]struct {
		keep Retention
		want string
	}{
		"no bounds":           {Retention{}, ""},
		"as many":             {Retention{Tasks: 10}, ""},
		"fewer":               {Retention{Tasks: 7}, "1 2 3"},
		"one":                 {Retention{Tasks: 1}, "1 2 3 4 5 6 7 8 9"},
		"output that fits":    {Retention{Output: 100}, ""},
		"too much output":     {Retention{Output: 71}, "1 2 3"},
		"old":                 {Retention{Age: 95 * time.Hour}, "1 2 4"},
		"all old":             {Retention{Age: time.Nanosecond}, "1 2 3 4 5 6 7 8 9 10"},
		"none old":            {Retention{Age: 99 * time.Hour}, ""},
		"the strictest holds": {Retention{Age: 98 * time.Hour, Tasks: 9, Output: 60}, "1 2 3 4"},
		"old ones count":      {Retention{Age: 95 * time.Hour, Tasks: 9}, "1 2 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.keep.Surplus(10, 100, now)
			var gone []string
			for n := int64(1); n <= 10 && !s.exhausted(broker.IDAt(time.Unix(0, n*hour))); n++ {
				if s.includes(ended(n)) {
					s.Tasks--
					s.Bytes -= 10
					gone = append(gone, fmt.Sprint(n))
				}
			}
			if got := strings.Join(gone, " "); got != test.want {
				t.Errorf("removed %q, want %q", got, test.want)
			}
		})
	}
}

// finished submits a task, has it end, and takes its result if it is said to.
func (p *project) finished(item string, o taskspec.Outcome, taken bool) (tid string) {
	p.Helper()
	tid = p.submission(Submission{Spec: echo(), Item: item, Dir: p.root, Env: EncodeEnv([]string{"A=1"})})
	p.run(tid)
	p.update(func(tx *broker.Tx) error {
		return Finish(tx, &HandOff{TID: tid, Epoch: 1, Seq: 1, Outcome: o, Result: []byte("done"), Output: Output{Form: FormText, Size: 4}, Ended: at}, nil)
	})
	if taken {
		p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
	}
	return tid
}

// TestForget removes old tasks with all that belongs to them, whether their results were
// taken or not, and keeps those that have not ended.
func TestForget(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Now: func() time.Time { return at }})
	var ended []string
	for i := range 2 * atOnce {
		ended = append(ended, p.finished("item", taskspec.Exited(0, ""), i%2 == 0))
	}
	ended = append(ended, p.finished("item", taskspec.Exited(3, ""), false)) // its item is kept
	queued := p.submit()
	running := p.submit()
	p.run(running)
	newest := p.finished("item", taskspec.Exited(0, ""), false)
	p.write("clean.data", "of the user's")

	left := func() (tids []string) {
		for _, rec := range p.state().Records[Kind] {
			tids = append(tids, rec.Key)
		}
		slices.Sort(tids)
		return tids
	}
	all := left()
	later := at.Add(time.Hour)
	for _, step := range []struct {
		keep Retention
		want []string
	}{
		{Retention{}, all},
		{Retention{Tasks: len(all), Age: 2 * time.Hour}, all},
		{Retention{Tasks: len(ended) - 1}, all[2:]}, // of one more
		{Retention{Tasks: 1}, []string{queued, running, newest}},
		{Retention{Age: time.Minute}, []string{queued, running}},
	} {
		before := len(left())
		if n := p.forget(step.keep, later); n != before-len(step.want) {
			t.Errorf("%+v: %d tasks went, want %d", step.keep, n, before-len(step.want))
		}
		if got := left(); !slices.Equal(got, step.want) {
			t.Errorf("%+v: left are %v, want %v", step.keep, got, step.want)
		}
	}
	for queue, ms := range p.state().Messages {
		for _, m := range ms {
			own := queue == "clean.data" || queue == Requests || strings.HasPrefix(queue, "T"+running)
			if !own && !strings.Contains(m.Body, queued) && !strings.Contains(m.Body, running) {
				t.Errorf("left is %s in %s", m.Body, queue)
			}
		}
	}
	// Who asks for a task that went is told that there is none.
	err := p.try(func(tx *broker.Tx) error { _, _, err := Retry(tx, newest, later); return err })
	if !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("run it again: %v", err)
	}
}

// A task with more events than one transaction removes goes in several.
func TestForgetManyEvents(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal, Now: func() time.Time { return at }})
	tid := p.submit()
	p.run(tid)
	p.update(func(tx *broker.Tx) error {
		for range eventsAtOnce {
			if err := NoteUsage(tx, tid, 1, Usage{FDs: 1}, at); err != nil {
				return err
			}
		}
		return nil
	})
	p.update(func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) })
	rounds := 0
	for all := false; !all; rounds++ {
		p.update(func(tx *broker.Tx) (err error) { _, all, err = Remove(tx, tid); return err })
	}
	if n := len(p.bodies(Log)); rounds != 2 || n != 0 {
		t.Errorf("%d rounds have left %d events", rounds, n)
	}
}

// TestRemove removes one task by its id.
func TestRemove(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
	remove := func(tid string) (gone Removed, err error) {
		err = p.try(func(tx *broker.Tx) (err error) { gone, _, err = Remove(tx, tid); return err })
		return gone, err
	}
	waits, other := p.submit(), p.finished("item", taskspec.Exited(0, ""), false)
	if _, err := remove(waits); !errors.Is(err, ErrNotEnded) {
		t.Errorf("a task that waits: %v", err)
	}
	pipeline := p.pipeline(noItem, stage("a"), stage("b"))
	p.begin(pipeline)
	first := p.stageOf(pipeline, 1).TID
	p.work(pipeline, "one", taskspec.Exited(0, ""))
	if _, err := remove(first); !errors.Is(err, errNeeded) {
		t.Errorf("a stage of a pipeline that runs: %v", err)
	}
	p.work(pipeline, "two", taskspec.Exited(0, ""))
	if gone, err := remove(pipeline); gone.Tasks != 3 || err != nil {
		t.Errorf("of a pipeline %d tasks were removed: %v", gone.Tasks, err)
	}
	if _, err := remove(pipeline); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("the second time: %v", err)
	}
	p.task(other)
	p.task(waits)
}

// A key outlives its task, so that nothing runs twice, and is free again when it is old, or
// its task was removed by hand.
func TestForgetKeepsKey(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Now: func() time.Time { return at }})
	keyed := Submission{Spec: echo(func(s *taskspec.Spec) { s.Key = "once" }), Item: noItem, Dir: p.root, Env: EncodeEnv(nil)}
	submit := func() (a Accepted) {
		p.update(func(tx *broker.Tx) error {
			all, _, err := SubmitAll(tx, []Submission{keyed}, at)
			if err == nil {
				a = all[0]
			}
			return err
		})
		return a
	}
	drop := func(age time.Duration) (n int) {
		p.update(func(tx *broker.Tx) (err error) { n, _, err = DropKeys(tx, at.Add(age), 0, atOnce); return err })
		return n
	}
	finish := func(tid string) {
		p.run(tid)
		p.update(func(tx *broker.Tx) error {
			return Finish(tx, &HandOff{TID: tid, Epoch: 1, Seq: 1, Outcome: taskspec.Exited(0, ""), Ended: at}, nil)
		})
	}
	first := submit()
	if again := submit(); !again.Existing || again.TID != first.TID {
		t.Fatalf("a key that is held made %+v beside %s", again, first.TID)
	}
	if n := drop(time.Hour); n != 0 {
		t.Error("a task that waits has lost its key")
	}
	finish(first.TID)
	if n := p.forget(Retention{Age: time.Second}, at.Add(time.Hour)); n != 1 {
		t.Fatalf("forgot %d tasks", n)
	}
	want := Accepted{TID: first.TID, Existing: true, Ended: true, Removed: true}
	if got := submit(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n := drop(-time.Hour); n != 0 {
		t.Error("a young key was dropped")
	}
	if n := drop(time.Hour); n != 1 {
		t.Errorf("%d old keys were dropped", n)
	}
	second := submit()
	if second.Existing {
		t.Fatalf("the key is held: %+v", second)
	}
	finish(second.TID)
	p.update(func(tx *broker.Tx) error { _, _, err := Remove(tx, second.TID); return err })
	if third := submit(); third.Existing {
		t.Errorf("the key of a task that was removed by hand is held: %+v", third)
	}
}

// BenchmarkForget removes a thousand small tasks, whose results nobody has taken, a hundred in
// a transaction.
func BenchmarkForget(b *testing.B) {
	p := newUnchecked(b, sqlite.Options{Durability: sqlite.Normal, Now: func() time.Time { return at }})
	for b.Loop() {
		b.StopTimer()
		for range 1000 {
			p.finished("item", taskspec.Exited(0, ""), false)
		}
		b.StartTimer()
		left := Surplus{Tasks: 1000}
		for range 10 {
			p.update(func(tx *broker.Tx) error {
				_, _, err := Forget(tx, &left, noBytes, 0, 100)
				return err
			})
		}
		if left.Tasks != 0 {
			b.Fatalf("%d tasks are left", left.Tasks)
		}
	}
}
