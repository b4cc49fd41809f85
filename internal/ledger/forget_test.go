package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// forget removes what tasks can go, a few at a time.
func (p *project) forget(keep Retention, now time.Time) (n int) {
	p.Helper()
	p.update(func(tx *broker.Tx) error {
		n = 0
		before, err := Outdated(tx, keep.Tasks)
		if err != nil {
			return err
		}
		for after := int64(0); ; {
			gone, next, err := Forget(tx, keep, before, now, after, atOnce)
			if n += gone; err != nil || next == 0 {
				return err
			}
			after = next
		}
	})
	return n
}

// TestForget removes old tasks, and keeps those that have not ended or of which
// something is left.
func TestForget(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	end := func(item string, o taskspec.Outcome, taken bool) (tid string) {
		tid = p.submission(Submission{Spec: echo(), Item: item, Dir: p.root, Env: EncodeEnv([]string{"A=1"})})
		p.run(tid)
		p.update(func(tx *broker.Tx) error {
			return Finish(tx, &HandOff{TID: tid, Epoch: 1, Seq: 1, Outcome: o, Output: Output{Form: FormText}, Ended: at}, nil)
		})
		if taken {
			if _, err := p.b.Queue(QueuesOf(tid).Outbox).Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return tid
	}
	var plain []string
	for range 2 * atOnce {
		plain = append(plain, end("item", taskspec.Exited(0, ""), true))
	}
	plain = append(plain, end(noItem, taskspec.Exited(3, ""), true)) // nobody misses an empty item
	bound := []string{
		end("item", taskspec.Exited(0, ""), false),
		end("item", taskspec.Exited(3, ""), true),
	}
	queued := p.submit()
	running := p.submit()
	p.run(running)
	newest := end("item", taskspec.Exited(0, ""), true)

	left := func() (tids []string) {
		recs, err := p.b.Records(ctx, Kind, broker.RecordSelect{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range recs {
			tids = append(tids, rec.Key)
		}
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
		{Retention{Tasks: len(plain) + 1}, all[2:]}, // the newest 10 of 12 that have ended
		{Retention{Tasks: 1}, slices.Concat(bound, []string{queued, running, newest})},
		{Retention{Age: time.Minute}, slices.Concat(bound, []string{queued, running})},
		{Retention{Age: time.Minute, Force: true}, []string{queued, running}},
	} {
		before := len(left())
		if n := p.forget(step.keep, later); n != before-len(step.want) {
			t.Errorf("%+v: %d tasks went, want %d", step.keep, n, before-len(step.want))
		}
		if got := left(); !slices.Equal(got, step.want) {
			t.Errorf("%+v: left are %v, want %v", step.keep, got, step.want)
		}
	}
	for _, tid := range slices.Concat(plain, bound, []string{newest}) {
		for _, queue := range []string{QueuesOf(tid).Outbox, QueuesOf(tid).Reserved} {
			if n := len(p.bodies(queue)); n != 0 {
				t.Errorf("%d messages are left in %s", n, queue)
			}
		}
	}
	// Who asks for a task that went is told that there is none.
	err := p.try(func(tx *broker.Tx) error { _, _, err := Retry(tx, newest, later); return err })
	if !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("run it again: %v", err)
	}
}

// With its task a key goes: then the same may be submitted again.
func TestForgetLetsGoOfKey(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	keyed := Submission{Spec: echo(func(s *taskspec.Spec) { s.Key = "once" }), Item: noItem, Dir: p.root, Env: EncodeEnv(nil)}
	first := p.submission(keyed)
	if again := p.submission(keyed); again != first {
		t.Fatalf("a key that is held made task %s beside %s", again, first)
	}
	p.run(first)
	p.update(func(tx *broker.Tx) error {
		return Finish(tx, &HandOff{TID: first, Epoch: 1, Seq: 1, Outcome: taskspec.Exited(0, ""), Ended: at}, nil)
	})
	if n := p.forget(Retention{Age: time.Second, Force: true}, at.Add(time.Hour)); n != 1 {
		t.Fatalf("forgot %d tasks", n)
	}
	err := p.b.View(ctx, func(r broker.Reader) error {
		left, err := r.Records(keyKind, broker.RecordSelect{})
		if len(left) != 0 {
			t.Errorf("the key is left: %+v", left)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if again := p.submission(keyed); again == first {
		t.Error("the key is held by a task that is forgotten")
	}
}
