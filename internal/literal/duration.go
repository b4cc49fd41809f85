package literal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day     = 24 * time.Hour
	week    = 7 * day
	century = 100 * 365 * day
)

// Duration reads a duration as users write it: bare seconds such as "30" and "1.5", or
// numbers with units as in Go, with weeks and days before them: "1m30s", "1d12h", "1w".
// A day has 24 hours. It must not be negative, nor longer than a century.
func Duration(text string) (time.Duration, error) {
	d, ok := parseDuration(text)
	switch {
	case ok && d < 0:
		return 0, fmt.Errorf("duration %q: want one that is not negative", text)
	case ok && d > century:
		return 0, fmt.Errorf("duration %q: want a century at most", text)
	case !ok:
		return 0, fmt.Errorf("duration %q: want seconds (30, 1.5) or numbers with units (2m, 1h30m, 1d, 1w)", text)
	}
	return d, nil
}

// tooLong is what a duration of more than a century is read as: sums of it do not overflow.
const tooLong = century + day

// parseDuration reads a duration with its sign.
func parseDuration(text string) (d time.Duration, ok bool) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) {
		return span(seconds, time.Second), true
	}
	rest, negative := strings.CutPrefix(text, "-")
	if rest == "" {
		return 0, false
	}
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"w", week}, {"d", day}} {
		number, behind, found := strings.Cut(rest, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.Trim(number, "0123456789.") != "" {
			return 0, false
		}
		d = min(d+span(n, unit.is), tooLong)
		rest = behind
	}
	if rest != "" {
		short, err := time.ParseDuration(rest)
		if err != nil || short < 0 {
			return 0, false
		}
		d = min(d+min(short, tooLong), tooLong)
	}
	if negative {
		return -d, true
	}
	return d, true
}

// span is so many units, but no longer than tooLong.
func span(n float64, unit time.Duration) time.Duration {
	return time.Duration(max(-float64(tooLong), min(n*float64(unit), float64(tooLong))))
}
