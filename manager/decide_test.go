package manager

import (
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		load               load
		free, dispatchable int
	}{
		{"nothing runs", load{slots: 4, idle: 1}, 4, 1},
		{"some run", load{slots: 4, running: 1, idle: 2}, 3, 2},
		{"more idle than free", load{slots: 4, running: 3, idle: 2}, 1, 1},
		{"nobody idle", load{slots: 4, running: 3, starting: 2}, 1, 0},
		{"full", load{slots: 4, running: 4, idle: 3}, 0, 0},
		{"more than full: survivors of a manager with more slots", load{slots: 4, running: 9, idle: 3}, 0, 0},
		{"no slots", load{idle: 1}, 0, 0},
	} {
		if got := test.load.free(); got != test.free {
			t.Errorf("%s: %d free, want %d", test.name, got, test.free)
		}
		if got := test.load.dispatchable(); got != test.dispatchable {
			t.Errorf("%s: %d dispatchable, want %d", test.name, got, test.dispatchable)
		}
	}
}

func TestShortage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		load            load
		waiting, nested int
		active          bool
		want            int
	}{
		{"no work", load{slots: 4}, 0, 0, false, 0},
		{"one request", load{slots: 4}, 1, 0, false, 1},
		{"many requests", load{slots: 4}, 9, 0, false, 4},
		{"some run", load{slots: 4, running: 3}, 9, 0, false, 1},
		{"full", load{slots: 4, running: 4}, 9, 0, false, 0},
		{"enough are idle", load{slots: 4, idle: 2}, 2, 0, false, 0},
		{"enough are coming", load{slots: 4, idle: 1, starting: 2}, 3, 0, true, 0},
		{"not enough are coming", load{slots: 4, starting: 1}, 3, 0, true, 2},
		{"more than enough", load{slots: 4, idle: 3, starting: 3}, 2, 0, false, 0},
		{"a spare after a dispatch", load{slots: 4, running: 1}, 0, 0, true, 1},
		{"no second spare", load{slots: 4, running: 1, idle: 1}, 0, 0, true, 0},
		{"no spare that could get no slot", load{slots: 4, running: 4}, 0, 0, true, 0},
		{"no spare for its own sake", load{slots: 4}, 0, 0, false, 0},
		{"nested needs no slot", load{slots: 1, running: 1}, 0, 1, false, 1},
		{"nested and coming", load{slots: 1, running: 1, starting: 1}, 0, 1, false, 0},
		{"nested beside others", load{slots: 2, running: 1}, 5, 2, true, 3},
	} {
		if got := test.load.shortage(test.waiting, test.nested, test.active); got != test.want {
			t.Errorf("%s: shortage of %d, want %d", test.name, got, test.want)
		}
	}
}

func TestRetired(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_763_740_800, 0)
	never := time.Duration(-1)
	const s = time.Second
	for _, test := range []struct {
		name  string
		idle  []time.Duration // for how long, the longest first
		cores int
		leave int
		next  time.Duration // from now on
	}{
		{"nobody", nil, 2, 0, never},
		{"one, fresh", []time.Duration{0}, 2, 0, 30 * s},
		{"one, nearly", []time.Duration{30*s - 1}, 2, 0, 1},
		{"one, over", []time.Duration{30 * s}, 2, 1, never},
		{"spares, one over", []time.Duration{31 * s, 5 * s}, 2, 1, 25 * s},
		{"beyond the spares", []time.Duration{s, s, 0}, 2, 0, s},
		{"beyond the spares, over", []time.Duration{2 * s, s, 0}, 2, 1, 29 * s},
		{"two beyond, one over", []time.Duration{2 * s, s, s, 0}, 2, 1, s},
		{"all over", []time.Duration{40 * s, 35 * s, 30 * s}, 2, 3, never},
		{"four are spares at most", []time.Duration{3 * s, s, s, s, s}, 64, 1, 29 * s},
		{"four are spares", []time.Duration{3 * s, s, s, s}, 64, 0, 27 * s},
		{"one core", []time.Duration{3 * s, 3 * s}, 1, 1, 27 * s},
	} {
		var since []time.Time
		for _, d := range test.idle {
			since = append(since, now.Add(-d))
		}
		leave, next := retired(since, test.cores, now)
		want := time.Time{}
		if test.next != never {
			want = now.Add(test.next)
		}
		if leave != test.leave || !next.Equal(want) {
			t.Errorf("%s: %d leave and the next look is at %v, want %d and %v", test.name, leave, next, test.leave, want)
		}
	}
}

func TestIdleUntil(t *testing.T) {
	t.Parallel()
	since := time.Unix(1_763_740_800, 0)
	for _, test := range []struct {
		since    time.Time
		lifetime time.Duration
		want     time.Time
	}{
		{since, time.Minute, since.Add(time.Minute)},
		{since, 0, time.Time{}},
		{time.Time{}, time.Minute, time.Time{}},
	} {
		if got := idleUntil(test.since, test.lifetime); !got.Equal(test.want) {
			t.Errorf("idle since %v for %v: until %v, want %v", test.since, test.lifetime, got, test.want)
		}
	}
}

func TestEarliest(t *testing.T) {
	t.Parallel()
	var never time.Time
	a := time.Unix(1_763_740_800, 0)
	b := a.Add(1)
	for _, test := range []struct {
		moments []time.Time
		want    time.Time
	}{
		{nil, never},
		{[]time.Time{never, never}, never},
		{[]time.Time{a}, a},
		{[]time.Time{b, a}, a},
		{[]time.Time{never, b, never, a, never}, a},
		{[]time.Time{a, never, b}, a},
	} {
		if got := earliest(test.moments...); !got.Equal(test.want) {
			t.Errorf("the first of %v is %v", test.moments, got)
		}
	}
}

func TestWorthwhile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                  string
		ended, running, cores int
		want                  bool
	}{
		{"nothing to record", 0, 8, 2, false},
		{"one of many", 1, 7, 2, true},
		{"half of them", 4, 4, 2, false},
		{"the cores have nothing else to do", 1, 2, 2, false},
		{"one alone", 1, 0, 2, false},
	} {
		if got := worthWaiting(test.ended, test.running, test.cores); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}
