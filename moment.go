package weft

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weft/broker"
)

// ParseMoment reads a point in the order of messages as users write it: the id
// of a message (19 digits), seconds or milliseconds since 1970 (10 or 13
// digits, or any number with the suffix s, ms or ns), or a date with or without
// a time ("2026-11-21", "2026-11-21T14:03", RFC 3339), which is UTC unless it
// says otherwise. A time stands for the smallest id that a message could have
// then.
func ParseMoment(text string) (broker.ID, error) {
	if id, ok := parseNumber(text); ok {
		return id, nil
	}
	last := time.Unix(0, math.MaxInt64) // that an id can hold
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
	} {
		t, err := time.Parse(layout, strings.Replace(text, " ", "T", 1))
		if err == nil && t.Unix() > 0 && t.Before(last) {
			return broker.IDAt(t), nil
		}
	}
	return 0, fmt.Errorf("time %q: want a message id, seconds since 1970 (or 5s, 5ms, 5ns), or a date like 2026-11-21T14:03", text)
}

// parseNumber reads the forms that are numbers. The unit of a bare one is told
// by its length, which is right from 2001 to 2286.
func parseNumber(text string) (broker.ID, bool) {
	const idDigits = 19
	digits := strings.TrimRight(text, "mns")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n == 0 {
		return 0, false
	}
	if digits == text && len(digits) == idDigits {
		return broker.ID(n), true // exactly this message
	}
	var unit time.Duration
	switch suffix := text[len(digits):]; {
	case suffix == "s", suffix == "" && len(digits) == 10:
		unit = time.Second
	case suffix == "ms", suffix == "" && len(digits) == 13:
		unit = time.Millisecond
	case suffix == "ns":
		unit = time.Nanosecond
	}
	if unit == 0 || n > math.MaxInt64/uint64(unit) {
		return 0, false
	}
	return broker.IDAt(time.Unix(0, int64(n)*int64(unit))), true
}
