package literal

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weft/broker"
)

// Time reads a point in the order of messages as users write it:
//
//   - the id of a message: 19 digits
//   - a date, with a time or without: 2026-11-21, 20261121, 2026-11-21T14:03,
//     2026-11-21 14:03:07.250+01:00; UTC unless it says otherwise
//   - a time since 1970: up to 11 digits are seconds, 12 to 14 milliseconds,
//     and a number with s, ms or ns behind it is what it says; seconds and
//     milliseconds may have a fraction, as in 1795269780.25
//
// Spaces around it do not matter, nor does a T before an id. There are no signs. A time
// stands for the smallest id that a message could have then, which is never 0:
// that would be no bound. The error wraps [ErrTime].
func Time(text string) (broker.ID, error) {
	t, ok := parseDate(strings.TrimSpace(text))
	if !ok {
		var id broker.ID
		if t, id, ok = parseNumber(strings.TrimSpace(text)); ok && id > 0 {
			return id, nil
		}
	}
	last := time.Unix(0, math.MaxInt64) // that an id can hold
	if !ok || t.After(last) {
		return 0, fmt.Errorf("%w %q: want a message id of 19 digits, a date like 2026-11-21 or 2026-11-21T14:03, or a "+
			"number since 1970: seconds (up to 11 digits), milliseconds (12 to 14), or with s, ms or ns behind it", ErrTime, text)
	}
	if t.Before(time.Unix(0, 0)) {
		return 1, nil // nothing was written before
	}
	return max(1, broker.IDAt(t)), nil
}

// ErrTime is returned when a text is neither a time nor the id of a message.
var ErrTime = errors.New("invalid time")

// parseDate reads the forms that are dates. Eight digits that could be a date
// are one: as seconds they would be a day in 1970.
func parseDate(text string) (time.Time, bool) {
	text = strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{
		"2006-01-02", "20060102",
		"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
		"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseNumber reads the forms that are numbers: the id of a message, or a time
// and id 0. The unit of a number without one is given by the length of its whole part, which
// is right from 1973 to 2286.
func parseNumber(text string) (t time.Time, id broker.ID, ok bool) {
	number := strings.TrimRight(text, "mns")
	suffix := text[len(number):]
	digits, fraction, hasFraction := strings.Cut(number, ".")
	if tid, is := strings.CutPrefix(digits, "T"); is && len(tid) == 19 {
		digits = tid
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strings.Trim(digits+fraction, "0123456789") != "" { // a sign
		return t, 0, false
	}
	var unit time.Duration
	switch {
	case suffix == "" && len(digits) == 19 && !hasFraction:
		return t, max(1, broker.ID(n)), true
	case suffix == "s", suffix == "" && len(digits) <= 11:
		unit = time.Second
	case suffix == "ms", suffix == "" && len(digits) >= 12 && len(digits) <= 14:
		unit = time.Millisecond
	case suffix == "ns":
		unit = time.Nanosecond
	}
	if unit == 0 || n > math.MaxInt64/int64(unit) || hasFraction && (fraction == "" || unit == time.Nanosecond) {
		return t, 0, false
	}
	ns := n * int64(unit)
	for _, digit := range fraction { // exactly, to the nanosecond
		unit /= 10
		ns += int64(digit-'0') * int64(unit)
	}
	return time.Unix(0, ns), 0, ns >= 0
}

// Since reads a time in the past as users write it: how long ago it was, as [Duration]
// reads it ("90m", "1d", "30"), or what else [Time] reads: a date, an id, or a number of 10 digits
// or more since 1970. The error wraps [ErrTime].
func Since(text string, now time.Time) (broker.ID, error) {
	ago, isAgo := parseDuration(text)
	_, isDate := parseDate(text)
	since1970, err := strconv.ParseFloat(text, 64)
	if isAgo && ago >= 0 && !isDate && (err != nil || since1970 < 1e9) {
		return max(1, broker.IDAt(now.Add(-ago))), nil
	}
	id, err := Time(text)
	if err != nil {
		return 0, fmt.Errorf("%w %q: want how long ago (90m, 1d, 1w), a date like 2026-11-21 or 2026-11-21T14:03, "+
			"or a message id of 19 digits", ErrTime, text)
	}
	return id, nil
}
