package weft_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/literal"
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
	noon, midnight := at("2026-11-21T12:00:00Z"), at("2026-11-21T00:00:00Z")
	for text, want := range map[string]broker.ID{
		// Ids, to the last digit.
		"1795262400000000001": 1795262400000000001,
		"9223372036854775807": 9223372036854775807,
		"0000000000000000005": 5,
		"0000000000000000000": 1, // before every message

		// Bare numbers: 1 to 11 digits, 12 to 14.
		"1795262400":     noon,
		"9223372036":     at("2262-04-11T23:47:16Z"),
		"01795262400":    noon,
		"1":              at("1970-01-01T00:00:01Z"),
		"123456":         at("1970-01-02T10:17:36Z"),
		"0":              1,
		"1795262400000":  noon,
		"999999999999":   at("2001-09-09T01:46:39.999Z"),
		"01795262400000": noon,

		// With a unit, and of any length.
		"1795262400s":              noon,
		"1795262400000ms":          noon,
		"1795262400000000000ns":    noon,
		"1795262400000000001ns":    noon, // to the grain of ids
		"1s":                       at("1970-01-01T00:00:01Z"),
		"1500ms":                   at("1970-01-01T00:00:01.5Z"),
		"0s":                       1,
		"1ns":                      1,
		"00000000000000000000001s": at("1970-01-01T00:00:01Z"),

		// Fractions, exactly.
		"1795262400.25":                 at("2026-11-21T12:00:00.25Z"),
		"1795262400.0":                  noon,
		"1795262400.5s":                 at("2026-11-21T12:00:00.5Z"),
		"1.000004096":                   at("1970-01-01T00:00:01.000004096Z"),
		"1795262400.00000000000000001":  noon,
		"1795262400000.5":               at("2026-11-21T12:00:00.0005Z"),
		"1.5ms":                         at("1970-01-01T00:00:00.0015Z"),
		"2026-11-21T12:00:00.25Z":       at("2026-11-21T12:00:00.25Z"),
		"2026-11-21T13:00:00.250+01:00": at("2026-11-21T12:00:00.25Z"),
		"2026-11-21 12:00:00.123456789": at("2026-11-21T12:00:00.123456789Z"),
		"2026-11-21T12:00:00,25":        at("2026-11-21T12:00:00.25Z"),

		// The id of a task as the names of its queues have it.
		"T1795262400000000001": 1795262400000000001,

		// Dates, with a time or without.
		"2026-11-21":                midnight,
		"20261121":                  midnight,
		"2026-11-21T12:00:00Z":      noon,
		"2026-11-21T12:00:00":       noon,
		"2026-11-21T13:00:00+01:00": noon,
		"2026-11-21T13:00:00+0100":  noon,
		"2026-11-21T05:30-06:30":    noon,
		"2026-11-21T13:00+01:00":    noon,
		"2026-11-21T12:00Z":         noon,
		"2026-11-21T12:00":          noon,
		"2026-11-21 12:00":          noon,
		"2026-11-21 12:00:00Z":      noon,
		"2024-02-29":                at("2024-02-29T00:00:00Z"),
		"1969-12-31":                1,
		"1970-01-01":                1,
		"0001-01-01":                1,
		"2262-04-11":                at("2262-04-11T00:00:00Z"),

		// Eight digits that are no date.
		"20261321": broker.IDAt(time.Unix(20261321, 0)),

		// Spaces around it.
		"  1795262400\n": noon,
		"\t2026-11-21 ":  midnight,
	} {
		got, err := literal.Time(text)
		if err != nil || got != want {
			t.Errorf("ParseMoment(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "s", "ms", "noon", "now", "notatime", "-", "T", "Z",
		// signs, underscores, exponents, other bases and scripts
		"-1", "+1", "-1s", "+1795262400", "1,5", "1_795_262_400", "1e9", "0x10", "T1", "T17952624000000000011", "T1795262400000000001s",
		// fractions
		"1.", ".5", "1.s", "1.-5", "1.5ns", "1.5.5", "1795262400000000001.5", "9223372036.9", "-0.5", "1.5e3",
		"\u0661\u0667\u0669\u0665\u0662\u0666\u0662\u0664\u0660\u0660", "\u00b9", "\uff11s",
		// lengths that are none of these
		"123456789012345", "123456789012345678", "12345678901234567890",
		// more than an id can hold
		"9223372036854775808", "9223372037", "9223372037s", "9223372036855", "9223372036855ms", "9223372036854775807s", "9223372036854775807ms", "9223372036854775808ns", "99999999999",
		"2262-04-12", "9999-12-31", "30000101",
		// units
		"12m", "12h", "1S", "1sm", "1 s", "1795262400 s", "1795262400us", "s1",
		// dates
		"2026-13-01", "2026-02-30", "2026-11-21T25:00", "2026-11-21T12:00.5", "2026-11-21T12:00:00.Z", "2026-11-21.5", "2026-11-21T",
		"2026-11-21T12", "2026-11-21  12:00", "2026-11", "11/21/2026", "21.11.2026", "2026-11-21T12:00 Z", "2026-11-21T12:00:00 UTC",
	} {
		got, err := literal.Time(text)
		if err == nil {
			t.Errorf("ParseMoment(%q) = %v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "2026-11-21T14:03") || !strings.Contains(err.Error(), "since 1970") {
			t.Errorf("ParseMoment(%q): %v, which does not say what would be right", text, err)
		}
	}
}

var (
	number = regexp.MustCompile(`\A(T?\d{19}|[0-9]+(ns)?|[0-9]+(\.[0-9]+)?(s|ms)?)\z`)
	date   = regexp.MustCompile(`\A\d{4}-\d\d-\d\d([T ]\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?\z`)
)

// FuzzParseMoment checks that nothing is read but numbers and dates of the
// forms that there are, and that what is read is a bound.
func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{
		"1795262400000000001", "1795262400", "1795262400000", "1s", "1ms", "1ns", "0", "20261121", "2026-11-21", "2026-11-21T14:03",
		"2026-11-21 14:03:07+01:00", "2026-11-21T14:03Z", "-1", "+1", "1.5", "1_0", "1e3", "\u0661", " 5 ", "9223372036854775808", "5 s",
		"0001-01-01T00:00+23:59", "2262-04-11T23:47:17Z", "2026-11-21T14:03:07.5Z", "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := literal.Time(text)
		trimmed := strings.TrimSpace(text)
		if err != nil {
			if id != 0 {
				t.Errorf("ParseMoment(%q) = %v with error %v", text, id, err)
			}
			return
		}
		if id < 1 {
			t.Errorf("ParseMoment(%q) = %v, which is no bound", text, id)
		}
		if !number.MatchString(trimmed) && !date.MatchString(trimmed) {
			t.Errorf("ParseMoment(%q) = %v, of a form that there is not", text, id)
		}
		trimmed = strings.TrimPrefix(trimmed, "T")
		if len(trimmed) == 19 && strings.Trim(trimmed, "0123456789") == "" {
			if want := strings.TrimLeft(trimmed, "0"); want != "" && id.String() != want {
				t.Errorf("ParseMoment(%q) = %v", text, id)
			}
			return
		}
		// What is a time is one to the grain, and read back as the same one.
		if id != 1 && id%broker.Grain != 0 {
			t.Errorf("ParseMoment(%q) = %v, within a grain", text, id)
		}
		if again, err := literal.Time(id.Time().UTC().Format("2006-01-02T15:04:05Z")); err != nil || again > id {
			t.Errorf("ParseMoment(%q) = %v, whose second is %v, %v", text, id, again, err)
		}
	})
}
