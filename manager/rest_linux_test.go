package manager

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// A manager sleeps until the next task, item or service is due, and not at all where there
// is work that it can do now.
func TestRest(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_763_740_800, 0)
	soon, later := now.Add(time.Minute), now.Add(time.Hour)
	for name, test := range map[string]struct {
		set  func(*loop)
		want time.Time
	}{
		"nothing waits":    {func(*loop) {}, time.Time{}},
		"delayed task":     {func(l *loop) { l.delayed, l.items.due = soon, later }, soon},
		"delayed item":     {func(l *loop) { l.delayed, l.items.due = later, soon }, soon},
		"service":          {func(l *loop) { l.services.next, l.items.due = soon, later }, soon},
		"new items":        {func(l *loop) { l.Stale[engine.Items] = true }, now},
		"request, no room": {func(l *loop) { l.Stale[engine.Requests] = true }, time.Time{}},
		"stops": {func(l *loop) {
			l.delayed, l.items.due, l.services.next, l.stopping, l.Stale[engine.Items] = soon, soon, soon, true, true
		}, time.Time{}},
	} {
		l := quiet(nil)
		l.Stale = [len(l.Stale)]bool{}
		l.pool.seat(t, busy, now)
		test.set(l)
		if got, done, err := l.Rest(now, nil); !got.Equal(test.want) || done || err != nil {
			t.Errorf("%s: it wakes at %v, want %v; %t, %v", name, got, test.want, done, err)
		}
	}
	l := quiet(nil)
	l.pool.seat(t, idle, time.Now())
	l.Stale[engine.Requests] = true
	if got, done, err := l.Rest(now, nil); !got.Equal(now) || done || err != nil {
		t.Errorf("a consumer is free for a request: it wakes at %v; %t, %v", got, done, err)
	}
}

// What ends a manager is told from what is tried again.
func TestRestAfterFailure(t *testing.T) {
	t.Parallel()
	for err, final := range map[error]bool{
		broker.ErrFull: false, broker.ErrUnwritable: false, broker.ErrBusy: false, errors.New("other"): false,
		broker.ErrGone: true, broker.ErrUncertain: true, ledger.ErrSuperseded: true, errReplaced: true,
	} {
		l := quiet(nil)
		l.pool.seat(t, busy, time.Time{})
		_, done, got := l.Rest(time.Unix(1_763_740_800, 0), fmt.Errorf("write: %w", err))
		if done != final || (got != nil) != final || (l.problem == "") != final {
			t.Errorf("%v: done %t, %v, problem %q", err, done, got, l.problem)
		}
	}
}
