package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// delayed is a spec that waits for so long.
func delayed(d time.Duration) func(*taskspec.Spec) {
	return func(s *taskspec.Spec) { s.Delay = d }
}

// promote lets those begin that are due at a moment, and returns when to come
// again.
func (p *project) promote(now time.Time) (next time.Time) {
	p.Helper()
	p.update(func(tx *broker.Tx) (err error) {
		next, err = Promote(tx, now)
		return err
	})
	return next
}

// requests are the TIDs whose requests wait to be dispatched, in order.
func (p *project) requests() (tids []string) {
	p.Helper()
	for m, err := range p.b.Queue(Requests).Messages(ctx, broker.Select{}) {
		if err != nil {
			p.Fatal(err)
		}
		tids = append(tids, m.ID.String())
	}
	return tids
}

// Those that are due come before what was submitted later; the others stay.
func TestPromote(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	if next := p.promote(at); !next.IsZero() {
		t.Errorf("nobody waits, and the next is due %v", next)
	}
	late, soon, now := p.submit(delayed(time.Hour)), p.submit(delayed(time.Minute)), p.submit()
	if diff := cmp.Diff([]string{now}, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := p.task(soon).NotBefore; got != at.Add(time.Minute).UnixNano() {
		t.Errorf("not before %d", got)
	}
	if next := p.promote(at.Add(59 * time.Second)); !next.Equal(at.Add(time.Minute)) {
		t.Errorf("the next is due %v", next)
	}
	if next := p.promote(at.Add(time.Minute)); !next.Equal(at.Add(time.Hour)) {
		t.Errorf("the next is due %v", next)
	}
	if diff := cmp.Diff([]string{soon, now}, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if next := p.promote(at.Add(2 * time.Hour)); !next.IsZero() || p.task(late).NotBefore != 0 {
		t.Errorf("the next is due %v, %+v", next, p.task(late))
	}
	p.run(late)
}

// More than fit one transaction begin in several.
func TestPromoteMany(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	var want []string
	for range dueAtOnce + 1 {
		want = append(want, p.submit(delayed(time.Second)))
	}
	now := at.Add(time.Second)
	if next := p.promote(now); !next.Equal(now) {
		t.Errorf("the next is due %v, want now", next)
	}
	if next := p.promote(now); !next.IsZero() {
		t.Errorf("the next is due %v, want never", next)
	}
	if diff := cmp.Diff(want, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// A nested task needs no slot when it is due, and is found where it waits then.
func TestPromoteNested(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	parent := p.submit()
	child := p.submission(Submission{Spec: echo(delayed(time.Second)), Item: "item", Dir: p.root, Parent: parent})
	nested := func() (ms []broker.Message) {
		if err := p.b.View(ctx, func(r broker.Reader) (err error) {
			ready, _, err := Runnable(r, 0, 9, 1<<20, false)
			ms = nil
			for _, m := range ready {
				ms = append(ms, m.Request)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return ms
	}
	if ms := nested(); len(ms) > 0 {
		t.Errorf("dispatched early: %v", ms)
	}
	p.promote(at.Add(time.Second))
	if ms := nested(); len(ms) != 1 || ms[0].ID.String() != child {
		t.Errorf("nested requests: %v", ms)
	}
}

// However the clock is set, nobody waits longer than was said from the moment on
// at which it was set, and nobody less unless it was set forward.
func TestPendingClock(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(delayed(time.Minute))
	back := at.Add(-10 * 365 * 24 * time.Hour)
	if next := p.promote(back); !next.Equal(back.Add(time.Minute)) {
		t.Errorf("the next is due %v after the clock was set back", next)
	}
	if got := p.task(tid).NotBefore; got != back.Add(time.Minute).UnixNano() {
		t.Errorf("not before %d", got)
	}
	if next := p.promote(back.Add(30 * time.Second)); !next.Equal(back.Add(time.Minute)) {
		t.Errorf("the next is due %v half a minute later", next)
	}
	if next := p.promote(at); !next.IsZero() || len(p.requests()) != 1 {
		t.Errorf("the next is due %v after the clock was set forward", next)
	}
}

func TestPendingClockRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wait := rapid.Int64Range(0, int64(time.Hour)).Draw(t, "wait")
		set := rapid.Int64Range(0, int64(1e18)).Draw(t, "set")
		now := rapid.Int64Range(0, int64(1e18)).Draw(t, "now")
		got := indexed{"1", laneDue, set + wait, time.Duration(wait)}.at(now)
		if got.rank-now > wait {
			t.Fatalf("waits %d more, of %d", got.rank-now, wait)
		}
		if now >= set && got.rank != set+wait {
			t.Fatalf("is due at %d, was at %d", got.rank, set+wait)
		}
		if again := got.at(now); again != got {
			t.Fatalf("%+v, and then %+v", got, again)
		}
	})
}

// A task that waits ends at once, and leaves nothing that waits.
func TestEndPending(t *testing.T) {
	t.Parallel()
	for command, want := range map[Command]taskspec.Status{CommandStop: taskspec.StatusCancelled, CommandKill: taskspec.StatusKilled} {
		p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
		tid := p.submit(delayed(time.Minute))
		p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, command, at); return err })
		if got := p.task(tid); got.Status != want || got.NotBefore != 0 {
			t.Errorf("%s: %+v", command, got)
		}
		if next := p.promote(at.Add(time.Hour)); !next.IsZero() || p.task(tid).Status != want {
			t.Errorf("%s: the next is due %v", command, next)
		}
	}
}

// Who moves a request by hand lets its task begin early.
func TestPendingMovedByHand(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(delayed(time.Hour))
	p.update(func(tx *broker.Tx) error { _, err := tx.Move(WaitingRequests, Requests, broker.Select{}); return err })
	p.run(tid)
	if got := p.task(tid); got.Status != taskspec.StatusRunning || got.NotBefore != 0 {
		t.Errorf("%+v", got)
	}
}

// A request that was written by hand waits too; its task is known from then on.
func TestForwardEarly(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.write(Requests, `{"name":"late","spec":{"type":"command","process_target":"true","delay_seconds":60}}`).String()
	j := p.prepare(tid)
	if !j.NotForConsumer() {
		t.Fatalf("not early: %s", j.Refused())
	}
	p.update(func(tx *broker.Tx) error { return Forward(tx, j, at) })
	if got := p.task(tid); got.Status != taskspec.StatusCreated || got.NotBefore != at.Add(time.Minute).UnixNano() {
		t.Fatalf("%+v", got)
	}
	p.promote(at.Add(time.Minute))
	if j := p.prepare(tid); j.NotForConsumer() || j.Refused() != "" {
		t.Errorf("early again, or refused: %q", j.Refused())
	}
	p.run(tid)
}

// What waits is in a dump, and waits where that is loaded with its requests.
func TestLoadPending(t *testing.T) {
	t.Parallel()
	p, other, without := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	tid := p.submit(delayed(time.Minute))
	retried := p.submit(retries(3, time.Hour))
	p.fail(retried, 1)
	dump := p.dump(false, true)
	other.mustLoad(dump, true)
	if next := other.promote(at.Add(time.Minute)); !next.Equal(at.Add(time.Hour)) || !slices.Equal(other.requests(), []string{tid}) {
		t.Errorf("the next is due %v, requests %v", next, other.requests())
	}
	if got := other.bodies(QueuesOf(retried).Attempts); !slices.Equal(got, []string{"result"}) {
		t.Errorf("results of attempts: %q", got)
	}
	without.mustLoad(dump, false)
	s := without.state()
	for _, kind := range []string{Kind, indexKind, attemptKind} {
		if len(s.Records[kind]) > 0 {
			t.Errorf("loaded without requests: %v", s.Records[kind])
		}
	}
	for queue, ms := range s.Messages {
		if queue != Log {
			t.Errorf("loaded without requests: %d messages in %s", len(ms), queue)
		}
	}
}

func TestCensusPending(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	p.submit(delayed(time.Minute))
	p.submit()
	var got Counts
	if err := p.b.View(ctx, func(r broker.Reader) (err error) { got, err = CountUnfinished(r); return err }); err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Queued: 2, Pending: 1}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("census %+v, want %+v", got, want)
	}
}
