package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/waittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an executor that does what the test says.
type fake struct {
	engine  *Engine
	handled []string
	linger  time.Duration
	stopped bool
	look    func()
	rest    func(failed error) (wake time.Time, done bool, err error)
}

// event returns an event that adds its name to what was handled.
func (f *fake) event(name string) func() error {
	return func() error {
		f.handled = append(f.handled, name)
		return nil
	}
}

func (f *fake) Linger() time.Duration { return f.linger }

func (f *fake) Order(_ context.Context, o control.Order) (<-chan control.Answer, error) {
	done := make(chan control.Answer, 1)
	done <- control.Answer{Done: true, Problem: o.TID}
	return done, errors.New("ordered")
}

func (f *fake) Command(_ context.Context, tid string, c ledger.Command) error {
	f.handled = append(f.handled, tid+" "+string(c))
	return nil
}

func (f *fake) Stop(context.Context) error { f.stopped = true; return nil }

func (f *fake) Look(context.Context, time.Time) error {
	if f.look != nil {
		f.look()
	}
	return nil
}

func (f *fake) Rest(_ time.Time, failed error) (time.Time, bool, error) { return f.rest(failed) }

// newFake returns a fake whose engine has a store.
func newFake(t *testing.T) *fake {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f := &fake{rest: func(failed error) (time.Time, bool, error) { return time.Time{}, true, failed }}
	f.engine = New(Options{Dir: dir, Broker: store, Log: slog.New(slog.DiscardHandler), Events: 8}, f)
	t.Cleanup(f.engine.Close)
	if err := f.engine.Listen(Control); err != nil {
		t.Fatal(err)
	}
	return f
}

// An outcome is what becomes of a change.
type outcome struct {
	err  error // of its Write
	keep bool
	name string
}

// change returns the change, which adds to calls what is called.
func (o outcome) change(calls *[]string) Change {
	return Change{
		What: "write", TID: o.name,
		Write: func(tx *broker.Tx, _ time.Time) error {
			if o.err != nil {
				return o.err
			}
			_, err := tx.Write("written", o.name)
			return err
		},
		Written: func(err error) {
			name := o.name
			if err != nil {
				name += " given up"
			}
			*calls = append(*calls, name)
		},
		Failed: func(error) bool {
			*calls = append(*calls, o.name+" failed")
			return o.keep
		},
	}
}

// TestWrite writes changes of which one cannot be written, for each reason there is.
func TestWrite(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad task")
	for name, test := range map[string]struct {
		changes []outcome
		calls   []string // what became of the changes
		stored  []string
		pending int
		err     error
		again   bool
	}{
		"nothing": {},
		"all":     {changes: []outcome{{name: "a"}, {name: "b"}}, calls: []string{"a", "b"}, stored: []string{"a", "b"}},
		"one bad": {
			changes: []outcome{{name: "a"}, {name: "b", err: bad}, {name: "c"}},
			calls:   []string{"a", "b given up", "c"}, stored: []string{"a", "c"},
		},
		"full disk": {
			changes: []outcome{{name: "a", keep: true}, {name: "b", err: broker.ErrFull}},
			calls:   []string{"a failed", "b failed"}, pending: 1, err: broker.ErrFull,
		},
		"full disk after a bad one": {
			changes: []outcome{{name: "a", keep: true}, {name: "b", err: bad, keep: true}, {name: "c", err: broker.ErrFull, keep: true}, {name: "d"}},
			calls:   []string{"a", "b given up", "c failed", "d failed"}, stored: []string{"a"}, pending: 1, err: broker.ErrFull,
		},
		"changed": {
			changes: []outcome{{name: "a", err: ledger.ErrChanged}, {name: "b", keep: true}},
			calls:   []string{"a failed", "b failed"}, pending: 1, again: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			var calls []string
			for _, o := range test.changes {
				f.engine.Add(o.change(&calls))
			}
			if err := f.engine.write(t.Context()); !errors.Is(err, test.err) || (err != nil) != (test.err != nil) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			ms, err := f.engine.o.Broker.Queue("written").ReadAll(t.Context(), broker.Select{})
			if err != nil {
				t.Fatal(err)
			}
			var stored []string
			for _, m := range ms {
				stored = append(stored, m.Body)
			}
			if !slices.Equal(calls, test.calls) || !slices.Equal(stored, test.stored) || len(f.engine.Pending()) != test.pending || f.engine.changed != test.again {
				t.Errorf("called %v, stored %v, %d pending, again %t", calls, stored, len(f.engine.Pending()), f.engine.changed)
			}
		})
	}
}

// TestGather handles what gathers while the loop was away in one cycle, and what comes while
// it yields.
func TestGather(t *testing.T) {
	t.Parallel()
	for _, linger := range []time.Duration{0, Yield, time.Nanosecond} {
		f := newFake(t)
		f.linger = linger
		for _, e := range []string{"2", "3", "4"} {
			f.engine.Events <- f.event(e)
		}
		if err := f.engine.gather(f.event("1")); err != nil || !slices.Equal(f.handled, []string{"1", "2", "3", "4"}) {
			t.Errorf("handled %v, %v", f.handled, err)
		}
	}
	f := newFake(t)
	if err := f.engine.gather(func() error { return errors.New("bad event") }); err == nil {
		t.Error("an executor that cannot go on goes on")
	}
}

// TestRun runs cycles until the executor is done: one at once, others after a failure, at
// the time that the executor says, and after a stop.
func TestRun(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	stop := make(chan struct{})
	failure := errors.New("failure")
	var last []time.Duration
	steps := 0
	f.look = func() {
		if steps < 3 {
			f.engine.Add(Change{What: "fail", Write: func(*broker.Tx, time.Time) error { return broker.ErrBusy }, Failed: Drop})
		}
	}
	f.rest = func(failed error) (wake time.Time, done bool, err error) {
		last = append(last, f.engine.retry)
		switch steps++; {
		case steps <= 3 && !errors.Is(failed, broker.ErrBusy), steps > 3 && failed != nil:
			t.Errorf("step %d: %v", steps, failed)
		case steps == 4:
			return time.Now(), false, nil // at once
		case steps == 5:
			close(stop)
		case steps == 6:
			return wake, true, failure
		}
		return wake, false, nil
	}
	if err := f.engine.Run(t.Context(), stop); !errors.Is(err, failure) || !f.stopped {
		t.Errorf("it ends with %v, stopped %t", err, f.stopped)
	}
	if want := []time.Duration{0, minRetry, 2 * minRetry, 4 * minRetry, 0, 0}; !slices.Equal(last, want) {
		t.Errorf("pauses %v, want %v", last, want)
	}

	f = newFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	f.rest = func(error) (wake time.Time, done bool, err error) { cancel(failure); return }
	if err := f.engine.Run(ctx, nil); !errors.Is(err, failure) {
		t.Errorf("its context ends: %v", err)
	}
}

// TestOrders applies orders of the control socket, and reads control messages: of all
// watched tasks, or the new ones only.
func TestOrders(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	e := f.engine
	steps := 0
	ordered := make(chan control.Answer, 1)
	f.rest = func(failed error) (wake time.Time, done bool, err error) {
		if steps++; steps == 1 {
			go func() {
				a, err := control.Give(t.Context(), e.o.Dir, control.Order{TID: "1", Command: ledger.CommandStop})
				if err != nil {
					t.Error(err)
				}
				ordered <- a
			}()
			return wake, false, nil
		}
		return wake, true, failed
	}
	if err := e.Run(t.Context(), nil); err == nil || err.Error() != "ordered" {
		t.Errorf("the order fails: %v", err)
	}
	if a := <-ordered; !a.Done || a.Problem != "1" {
		t.Errorf("the answer is %+v", a)
	}

	e.WatchControl("1795320925719519232", []string{"shared"})
	e.WatchControl("1795320925719523328", []string{"shared"})
	e.UnwatchControl("1795320925719519232")
	e.UnwatchControl("1795320925719519232")
	if !slices.Equal(e.unread, []string{"1795320925719523328"}) || len(e.watched) != 1 {
		t.Errorf("watched %v, unread %v", e.watched, e.unread)
	}
	e.Commanded("1", ledger.CommandStop, ledger.CommandKill)
	if err := e.cycle(t.Context()); err != nil || !slices.Equal(f.handled, []string{"1 STOP", "1 KILL"}) || len(e.unread) != 0 {
		t.Errorf("applied %v, unread %v, %v", f.handled, e.unread, err)
	}
}

// TestLookAhead reads requests once, until none is left or what was read is out of date.
func TestLookAhead(t *testing.T) {
	t.Parallel()
	trusted := broker.ID(0)
	e := New(Options{Quarantined: func() broker.ID { return trusted }}, &fake{})
	reads := 0
	look := func(want int, found ...*ledger.Job) {
		t.Helper()
		if err := e.LookAhead(func() ([]*ledger.Job, error) { reads++; return found, nil }); err != nil || reads != want {
			t.Errorf("%d reads, want %d; %v", reads, want, err)
		}
	}
	look(0)
	e.Stale[Requests] = true
	look(1, new(ledger.Job))
	look(1)
	e.Ahead = nil
	look(2)
	look(2)
	trusted = 7
	if !e.UpdateTrust() || e.UpdateTrust() || e.Quarantined != 7 {
		t.Errorf("quarantined to %v", e.Quarantined)
	}
	look(3)
	e.Stale[Requests] = true
	failure := errors.New("failure")
	if err := e.LookAhead(func() ([]*ledger.Job, error) { return nil, failure }); !errors.Is(err, failure) || !e.Stale[Requests] {
		t.Errorf("after a failure: %v", err)
	}
}

// TestSharedControl: a control queue that tasks share is listened to until the last of them
// has ended.
func TestSharedControl(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, tid := range []string{"1", "2", "3"} {
		f.engine.WatchControl(tid, []string{"orders"})
	}
	notified := f.engine.Waiters[Control].C()
	for _, tid := range []string{"1", "3"} {
		f.engine.UnwatchControl(tid)
		select {
		case <-notified:
		default:
		}
		if _, err := f.engine.o.Broker.Queue("orders").Write(t.Context(), "STOP"); err != nil {
			t.Fatal(err)
		}
		waittest.Await(t, "a notification after the end of task "+tid, notified)
	}
}
