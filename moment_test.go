package weft_test

import (
	"testing"
	"time"

	"weft"
	"weft/broker"
)

func TestParseMoment(t *testing.T) {
	t.Parallel()
	at := func(text string) broker.ID {
		moment, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return broker.IDAt(moment)
	}
	noon := at("2026-11-21T12:00:00Z")
	for text, want := range map[string]broker.ID{
		"1795262400000000001":       1795262400000000001, // an id, to the last digit
		"1795262400000000001ns":     noon,                // a time, to the grain of ids
		"1795262400":                noon,
		"1795262400s":               noon,
		"1795262400000":             noon,
		"1795262400000ms":           noon,
		"1s":                        at("1970-01-01T00:00:01Z"),
		"2026-11-21T12:00:00Z":      noon,
		"2026-11-21T13:00:00+01:00": noon,
		"2026-11-21T13:00+01:00":    noon,
		"2026-11-21T12:00:00":       noon,
		"2026-11-21 12:00":          noon,
		"2026-11-21":                at("2026-11-21T00:00:00Z"),
		"2026-11-21T12:00:00.25Z":   at("2026-11-21T12:00:00.25Z"),
	} {
		got, err := weft.ParseMoment(text)
		if err != nil || got != want {
			t.Errorf("ParseMoment(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "s", "0", "0s", "-1s", "1", "123456", "12m", "1.5s", "9223372036854775808", "9223372037s", "noon",
		"1969-12-31", "2263-01-01", "2026-13-01", "2026-11-21T25:00", "1795262400 s",
	} {
		if got, err := weft.ParseMoment(text); err == nil {
			t.Errorf("ParseMoment(%q) = %v, want an error", text, got)
		}
	}
}
