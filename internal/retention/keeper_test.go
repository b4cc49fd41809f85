package retention

import (
	"testing"
	"time"

	"weft/internal/ledger"
)

// TestBounds gives what a project has chosen its defaults.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		got, want ledger.Retention
	}{
		"defaults": {Bounds(0, 0, 0, 0), ledger.Retention{Age: 7 * 24 * time.Hour, Tasks: 100_000, Output: 10e9, Keys: 7 * 24 * time.Hour}},
		"none":     {Bounds(Never, Never, Never, Never), ledger.Retention{}},
		"chosen":   {Bounds(time.Hour, 2, 3, time.Second), ledger.Retention{Age: time.Hour, Tasks: 2, Output: 3, Keys: time.Second}},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, test.got, test.want)
		}
	}
}

// TestDue decides when enough has happened to look again.
func TestDue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keep          ledger.Retention
		ends, written int64
		want          bool
	}{
		"nothing":             {ledger.Retention{Tasks: 100, Output: 100}, 0, 0, false},
		"few of few":          {ledger.Retention{Tasks: 3}, leastEnds - 1, 0, false},
		"some of few":         {ledger.Retention{Tasks: 3}, leastEnds, 0, true},
		"a twentieth":         {ledger.Retention{Tasks: 1000}, 50, 0, true},
		"less":                {ledger.Retention{Tasks: 1000}, 49, 1 << 40, false},
		"many of many":        {ledger.Retention{Tasks: 1e9}, mostEnds, 0, true},
		"no bound of tasks":   {ledger.Retention{}, mostEnds - 1, 1 << 40, false},
		"much output":         {ledger.Retention{Output: 2000}, 1, 100, true},
		"little output":       {ledger.Retention{Output: 2000}, 1, 99, false},
		"a very small bound":  {ledger.Retention{Output: 1}, 1, 1, true},
		"nothing was written": {ledger.Retention{Output: 1}, 1, 0, false},
	} {
		k := &Keeper{keep: test.keep}
		if got := k.due(test.ends, test.written); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
