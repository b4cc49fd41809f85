package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A row is one line of the table.
type row struct {
	name    string
	unit    string
	ours    float64
	floor   float64
	against string // what the floor is; empty: there is none
	ratio   float64
	// The middle half of the ratios of the rounds: how noisy it was. Where they
	// are equal there was one round.
	low, high float64
	target    target
}

// newRow compares two sides round by round: the ratio is the median of the
// rounds' ratios and may differ a little from that of the medians.
func newRow(name, unit string, ours, floor samples, against string, t target) row {
	ratios := ours.over(floor)
	return row{
		name:    name,
		unit:    unit,
		ours:    ours.median(),
		floor:   floor.median(),
		against: against,
		ratio:   ratios.median(),
		low:     percentile(ratios, 25),
		high:    percentile(ratios, 75),
		target:  t,
	}
}

// numberRow is a row without a floor.
func numberRow(name, unit string, number float64, t target) row {
	return row{name: name, unit: unit, ours: number, target: t}
}

// A target bounds the ratio of a row, or its number. The zero target is none.
type target struct {
	bound   float64
	least   bool // else at most
	numeric bool // bounds the number, not the ratio
	some    bool
}

func atMost(ratio float64) target       { return target{bound: ratio, some: true} }
func atLeast(ratio float64) target      { return target{bound: ratio, least: true, some: true} }
func numberAtMost(bound float64) target { return target{bound: bound, numeric: true, some: true} }

// verdict says whether the row reaches its target.
func (r row) verdict() string {
	value := r.ratio
	if r.target.numeric {
		value = r.ours
	}
	met := value <= r.target.bound
	if r.target.least {
		met = value >= r.target.bound
	}
	switch {
	case !r.target.some:
		return ""
	case met:
		return "met"
	default:
		return "missed"
	}
}

// cells are the row as the table shows it.
func (r row) cells() []string {
	floor, ratio, spread, goal := "", "", "", ""
	if r.against != "" {
		floor = quantity(r.floor, r.unit) + " " + r.against
		ratio = fmt.Sprintf("%.2f", r.ratio)
	}
	if r.low != r.high {
		spread = fmt.Sprintf("%.2f–%.2f", r.low, r.high)
	}
	bound := strconv.FormatFloat(r.target.bound, 'f', -1, 64)
	switch t := r.target; {
	case !t.some:
	case t.numeric:
		goal = strings.TrimSpace("≤ " + bound + " " + r.unit)
	case t.least:
		goal = "≥ " + bound + " ×"
	default:
		goal = "≤ " + bound + " ×"
	}
	return []string{r.name, quantity(r.ours, r.unit), floor, ratio, spread, goal, r.verdict()}
}

// quantity writes a number with three significant digits and its unit.
func quantity(v float64, unit string) string {
	text := "0"
	if v != 0 {
		digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
		scale := math.Pow10(digits)
		text = strconv.FormatFloat(math.Round(v*scale)/scale, 'f', max(0, digits), 64)
	}
	if !strings.Contains(text, ".") && len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return strings.TrimSpace(text + " " + unit)
}
