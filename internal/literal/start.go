package literal

import (
	"fmt"
	"time"
)

// A Start is when something is to begin: after a time, or at one. The zero value is at once.
type Start struct {
	After time.Duration
	At    time.Time // zero if After says it
}

// ParseStart reads when something is to begin: so long after now, as [Duration] reads it
// ("30m", "1d"); the next time that a clock shows in the zone of now ("09:00", "21:30:05"), as
// [NextClock] finds it; or a time in the form of RFC 3339 that is not over ("2026-12-24T18:00:00+01:00").
func ParseStart(text string, now time.Time) (Start, error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if clock, err := time.Parse(layout, text); err == nil {
			return Start{At: NextClock(now, clock.Hour(), clock.Minute(), clock.Second())}, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		switch {
		case at.Before(now):
			return Start{}, fmt.Errorf("time %q: is over", text)
		case at.Sub(now) > century:
			return Start{}, fmt.Errorf("time %q: want one within a century", text)
		}
		return Start{At: at}, nil
	}
	after, ok := parseDuration(text)
	if !ok {
		return Start{}, fmt.Errorf("time %q: want how long to wait (30, 2m, 1d), the time of a clock (09:00), "+
			"or one with its date and zone (2026-12-24T18:00:00Z)", text)
	}
	if after < 0 || after > century {
		_, err := Duration(text)
		return Start{}, err
	}
	return Start{After: after}, nil
}

// Delay is how long to wait for the start from now on, 0 if it is over.
func (s Start) Delay(now time.Time) time.Duration {
	if s.At.IsZero() {
		return s.After
	}
	return max(0, s.At.Sub(now))
}

// NextClock returns the first moment after now at which a clock in the zone of now shows this
// time. Where the clock is put forward past it, that is the moment when it is put forward;
// where it is put back, so that it shows the time twice, the first of both that is to come.
func NextClock(now time.Time, hour, minute, second int) time.Time {
	zone := now.Location()
	// Between two changes of the zone a clock runs evenly. A day and a change later
	// it has shown every time.
	for from := now; ; {
		shown := time.Date(from.Year(), from.Month(), from.Day(), hour, minute, second, 0, time.UTC)
		_, offset := from.Zone()
		at := shown.Add(-time.Duration(offset) * time.Second).In(zone)
		if !at.After(now) || at.Before(from) {
			at = at.Add(day)
		}
		_, change := from.ZoneBounds()
		if change.IsZero() || at.Before(change) {
			return at
		}
		_, later := change.Zone()
		if forward := time.Duration(later-offset) * time.Second; at.Sub(change) < forward {
			return change
		}
		from = change
	}
}
