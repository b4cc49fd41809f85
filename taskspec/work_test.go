package taskspec

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWorkDefaults(t *testing.T) {
	t.Parallel()
	var w Work
	got := []any{w.Grace(), w.Polling(), w.OutputLimit(), w.Cleanup(), w.Title(), w.StopOnManagerLoss(), w.ErrorPolicy(), w.StopPolicy()}
	want := []any{5 * time.Second, time.Second, int64(10485760), true, true, false, PolicyKeep, PolicyKeep}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults differ (-want +got):\n%s", diff)
	}
}

func TestWorkValues(t *testing.T) {
	t.Parallel()
	w := Work{
		StopGrace: new(time.Duration(0)), PollingInterval: 250 * time.Millisecond, OutputSizeLimitMB: new(0.5),
		CleanupOnExit: new(false), EnableProcessTitle: new(false), OnManagerLoss: LossStop,
		ReservedPolicyOnError: PolicyClear, ReservedPolicyOnStop: PolicyRequeue,
	}
	got := []any{w.Grace(), w.Polling(), w.OutputLimit(), w.Cleanup(), w.Title(), w.StopOnManagerLoss(), w.ErrorPolicy(), w.StopPolicy()}
	want := []any{time.Duration(0), 250 * time.Millisecond, int64(524288), false, false, true, PolicyClear, PolicyRequeue}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
}

// Nothing overflows, whatever nobody validated.
func TestWorkOutOfRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value  float64
		time   time.Duration
		output int64
	}{
		{0.1, 100 * time.Millisecond, 104857},
		{1e-12, 1, 0},
		{0, 0, 0},
		{-1e-12, -1, 0},
		{-1, -time.Second, 0},
		{1e9, 1e18, 1e9 * 1048576},
		{1e300, math.MaxInt64, 1 << 50},
		{math.Inf(1), math.MaxInt64, 1 << 50},
		{math.Inf(-1), math.MinInt64, 0},
	} {
		d := seconds(test.value)
		w := Work{StopGrace: &d, OutputSizeLimitMB: &test.value}
		if d != test.time {
			t.Errorf("%v seconds = %v, want %v", test.value, d, test.time)
		}
		if d := w.Grace(); d != max(test.time, 0) {
			t.Errorf("grace of %v = %v, want %v", test.value, d, max(test.time, 0))
		}
		if n := w.OutputLimit(); n != test.output {
			t.Errorf("output limit of %v = %d, want %d", test.value, n, test.output)
		}
	}
}

func TestArgv(t *testing.T) {
	t.Parallel()
	type word string
	w := Work{ProcessTarget: "echo", Args: []any{"a b", "", json.Number("1.50"), json.Number("9007199254740993"),
		7, int64(-1), uint8(3), 0.5, 1e21, word("w")}}
	got, err := w.Argv("item", "more")
	want := []string{"echo", "a b", "", "1.50", "9007199254740993", "7", "-1", "3", "0.5", "1e+21", "w", "item", "more"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Argv: %v (-want +got):\n%s", err, diff)
	}
	if got, err := (Work{ProcessTarget: "true"}).Argv(); err != nil || !cmp.Equal(got, []string{"true"}) {
		t.Errorf("Argv without args = %q, %v", got, err)
	}
	for _, bad := range []any{nil, true, []any{"a"}, map[string]any{}, math.NaN()} {
		argv, err := Work{ProcessTarget: "echo", Args: []any{"a", bad}}.Argv()
		if want := "build argv: spec.args[1]: a command takes only strings and numbers"; text(err) != want || argv != nil {
			t.Errorf("Argv with %#v = %q, %v, want %s", bad, argv, err, want)
		}
	}
}

func TestShortTID(t *testing.T) {
	t.Parallel()
	for tid, want := range map[string]string{
		"1763740800123456789": "0123456789",
		"123":                 "123",
		"":                    "",
	} {
		if got := ShortTID(tid); got != want {
			t.Errorf("ShortTID(%q) = %q, want %q", tid, got, want)
		}
	}
}
