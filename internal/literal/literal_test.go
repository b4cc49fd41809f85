package literal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"weft/broker"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "1.5": 1500 * time.Millisecond, ".5": time.Second / 2, "1e3": 1000 * time.Second,
		"2m": 2 * time.Minute, "1h30m": 90 * time.Minute, "100ms": 100 * time.Millisecond, "-0": 0,
		"1d": day, "1w": week, "1.5d": 36 * time.Hour, "2w3d": 17 * day, "1d12h": 36 * time.Hour, "1w1d1h1m1s": week + day + time.Hour + time.Minute + time.Second,
		"36500d": century, "0d": 0, "876000h": century,
	} {
		if d, err := Duration(text); err != nil || d != want {
			t.Errorf("Duration(%q) = %v, %v, want %v", text, d, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "want seconds", "abc": "want seconds", "1x": "want seconds", "1d1w": "want seconds", "d": "want seconds", "1 d": "want seconds",
		"1dd": "want seconds", "1h1d": "want seconds", "-": "want seconds", "NaN": "want seconds", "0x1d": "want seconds", "1d-1h": "want seconds", "--1": "want seconds",
		"-1": "not negative", "-1d": "not negative", "-2m": "not negative",
		"36501d": "a century", "Inf": "a century", "1e300": "a century", "99999999w99999999d99999h": "a century", "1e300d": "want seconds",
	} {
		if d, err := Duration(text); err == nil || d != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("Duration(%q) = %v, %v, want an error with %q", text, d, err, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"500": 500 * MiB, "0.5": MiB / 2, "0": 0, "1e2": 100 * MiB,
		"10GB": 10e9, "512MiB": 512 * MiB, "1.5GB": 15e8, "1 GB": 1e9, "10gb": 10e9, "2K": 2048, "3M": 3 * MiB, "1g": 1 << 30, "1T": 1 << 40,
		"1kB": 1000, "1KiB": 1024, "7B": 7, "1.9b": 1, "1TiB": 1 << 40, "1TB": 1e12,
	} {
		if n, err := Size(text, MiB); err != nil || n != want {
			t.Errorf("Size(%q) = %d, %v, want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "-1GB", "NaN", "Inf", "1XB", "1BB", "1 2GB", "ten", "1GBs", "9e99", "2000000TB"} {
		if n, err := Size(text, MiB); err == nil || n != 0 || !strings.Contains(err.Error(), "want a number") {
			t.Errorf("Size(%q) = %d, %v, want an error", text, n, err)
		}
	}
}

// TestNextClock: also on the days on which clocks are put forward and back.
func TestNextClock(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	apia, err := time.LoadLocation("Pacific/Apia")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		zone             *time.Location
		now, clock, want string
	}{
		{time.UTC, "2026-11-21T08:00:00Z", "09:00", "2026-11-21T09:00:00Z"},
		{time.UTC, "2026-11-21T09:00:00Z", "09:00", "2026-11-22T09:00:00Z"},
		{time.UTC, "2026-11-21T08:59:59.5Z", "09:00", "2026-11-21T09:00:00Z"},
		{time.UTC, "2026-12-31T23:30:00Z", "00:00", "2027-01-01T00:00:00Z"},
		{time.UTC, "2026-11-21T08:00:00Z", "09:00:07", "2026-11-21T09:00:07Z"},
		{berlin, "2026-11-21T10:00:00+01:00", "09:00", "2026-11-22T09:00:00+01:00"},
		// Put forward, from 02:00 to 03:00.
		{berlin, "2026-03-28T10:00:00+01:00", "09:00", "2026-03-29T09:00:00+02:00"},
		{berlin, "2026-03-29T01:00:00+01:00", "02:30", "2026-03-29T03:00:00+02:00"},
		{berlin, "2026-03-29T01:00:00+01:00", "02:00", "2026-03-29T03:00:00+02:00"},
		{berlin, "2026-03-29T01:00:00+01:00", "03:00", "2026-03-29T03:00:00+02:00"},
		{berlin, "2026-03-29T01:00:00+01:00", "01:59", "2026-03-29T01:59:00+01:00"},
		{berlin, "2026-03-29T03:00:00+02:00", "02:30", "2026-03-30T02:30:00+02:00"},
		// Put back, from 03:00 to 02:00.
		{berlin, "2026-10-24T10:00:00+02:00", "09:00", "2026-10-25T09:00:00+01:00"},
		{berlin, "2026-10-25T01:00:00+02:00", "02:30", "2026-10-25T02:30:00+02:00"},
		{berlin, "2026-10-25T02:45:00+02:00", "02:30", "2026-10-25T02:30:00+01:00"},
		{berlin, "2026-10-25T02:45:00+01:00", "02:30", "2026-10-26T02:30:00+01:00"},
		// A whole day that there was not.
		{apia, "2011-12-29T23:00:00-10:00", "09:00", "2011-12-31T00:00:00+14:00"},
	} {
		at := func(text string) time.Time {
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			return at.In(c.zone)
		}
		start, err := ParseStart(c.clock, at(c.now))
		if err != nil || !start.At.Equal(at(c.want)) {
			t.Errorf("%s after %s: %v, %v, want %s", c.clock, c.now, start.At, err, c.want)
		}
	}
}

func TestParseStart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "1d": day, "09:00": time.Hour, "9:00": time.Hour, "07:00": 23 * time.Hour,
		"2026-11-21T09:30:00Z": 90 * time.Minute, "2026-11-21T09:00:00+01:00": 0, "2026-11-21T10:00:00.5+01:00": time.Hour + time.Second/2,
	} {
		start, err := ParseStart(text, now)
		if d := start.Delay(now); err != nil || d != want {
			t.Errorf("ParseStart(%q) = %v, %v, want %v", text, d, err, want)
		}
		if d := start.Delay(now.Add(48 * time.Hour)); !start.At.IsZero() && d != 0 {
			t.Errorf("%q, when it is over: %v", text, d)
		}
	}
	for text, want := range map[string]string{
		"": "want how long", "abc": "want how long", "25:00": "want how long", "9": "", "2026-11-21T09:00": "want how long",
		"2026-11-21T07:59:59Z": "is over", "2200-01-01T00:00:00Z": "a century", "-1": "not negative", "101w": "", "9999w": "a century",
	} {
		_, err := ParseStart(text, now)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStart(%q): %v, want an error with %q", text, err, want)
		}
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]broker.ID{
		"1d": broker.IDAt(now.Add(-day)), "90m": broker.IDAt(now.Add(-90 * time.Minute)), "0s": broker.IDAt(now), "5000w": 1,
		"0": broker.IDAt(now), "30": broker.IDAt(now.Add(-30 * time.Second)), "20261120": broker.IDAt(now.Add(-32 * time.Hour)),
		"2026-11-20": broker.IDAt(now.Add(-32 * time.Hour)), "1795262400": broker.IDAt(time.Unix(1795262400, 0)), "1795262400000000001": 1795262400000000001,
	} {
		if id, err := Since(text, now); err != nil || id != want {
			t.Errorf("Since(%q) = %v, %v, want %v", text, id, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-1d", "1x"} {
		if id, err := Since(text, now); !errors.Is(err, ErrTime) || !strings.Contains(err.Error(), "how long ago") {
			t.Errorf("Since(%q) = %v, %v, want ErrTime", text, id, err)
		}
	}
}

// FuzzLiterals: whatever the text is, what is read of it is within bounds, and an error says
// what was wanted.
func FuzzLiterals(f *testing.F) {
	for _, s := range []string{"30", "1w2d3h", "-1d", "1e308", "NaN", "10GB", "1.5 KiB", "09:00", "24:00", "2026-11-21T09:00:00Z", "9223372036854775807ns", "1d\x00", "0x1p4"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 29, 1, 30, 0, 0, time.Local)
	f.Fuzz(func(t *testing.T, text string) {
		checkError := func(err error) {
			if err != nil && !strings.Contains(err.Error(), "want ") && !strings.Contains(err.Error(), "is over") {
				t.Errorf("%q: %v does not say what is wanted", text, err)
			}
		}
		d, err := Duration(text)
		checkError(err)
		if d < 0 || d > century {
			t.Errorf("Duration(%q) = %v", text, d)
		}
		n, err := Size(text, MiB)
		checkError(err)
		if n < 0 || n > 1<<60 {
			t.Errorf("Size(%q) = %d", text, n)
		}
		start, err := ParseStart(text, now)
		checkError(err)
		if d := start.Delay(now); d < 0 || d > century {
			t.Errorf("ParseStart(%q) = %v", text, d)
		}
		id, err := Since(text, now)
		checkError(err)
		if (err == nil) != (id > 0) {
			t.Errorf("Since(%q) = %v, %v", text, id, err)
		}
	})
}
