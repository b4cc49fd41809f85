package broker_test

import (
	"math"
	"testing"
	"time"

	"weft/broker"
)

func TestIDAt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		at   time.Time
		want broker.ID
	}{
		{time.Unix(0, 0), 0},
		{time.Unix(0, broker.Grain-1), 0},
		{time.Unix(0, broker.Grain), broker.Grain},
		{time.Unix(0, -1), -broker.Grain},
		{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 1795262400000000000},
		{time.Unix(0, math.MaxInt64), math.MaxInt64 - broker.Grain + 1},
	}
	for _, tt := range tests {
		if got := broker.IDAt(tt.at); got != tt.want {
			t.Errorf("IDAt(%v) = %d, want %d", tt.at, got, tt.want)
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{
		"1795262400000000000", "1", "9223372036854775807", "9223372036854775808", "0", "-1", "+1", "007", "1_000", "0x10", "1e3",
		"", " 1", "1 ", "1\n", "1.0", "\u0661", "\u00b9", "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := broker.ParseID(s)
		if err != nil {
			if id != 0 {
				t.Errorf("ParseID(%q) = %d with error %v", s, id, err)
			}
			return
		}
		if id <= 0 || id.String() != s {
			t.Errorf("ParseID(%q) = %d, which reads %q", s, id, id)
		}
		if first := broker.IDAt(id.Time()); id < first || id-first >= broker.Grain {
			t.Errorf("%d is not within a grain of its own time, %d", id, first)
		}
	})
}

// TestParseID reads back what String writes.
func TestParseID(t *testing.T) {
	t.Parallel()
	for _, want := range []broker.ID{1, broker.Grain, 1795262400000000000, math.MaxInt64} {
		if got, err := broker.ParseID(want.String()); got != want || err != nil {
			t.Errorf("ParseID(%q) = %d, %v", want, got, err)
		}
	}
}
