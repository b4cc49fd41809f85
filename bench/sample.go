package main

import (
	"context"
	"math"
	"slices"
)

// A side is one of the things that are compared. measure does its work once and
// returns a number: a time, or a rate.
type side func() (float64, error)

// Samples are what one side has measured: the median of each round.
type samples []float64

// compare measures the sides in turns. A round is as many turns as are asked
// for, each of which measures every side once, every other turn in the opposite
// order: what changes on the machine from one moment to the next then changes
// for all sides alike. The first round only warms up.
func compare(ctx context.Context, rounds, turns int, sides ...side) ([]samples, error) {
	all := make([]samples, len(sides))
	for round := range rounds + 1 {
		measured := make([][]float64, len(sides))
		for turn := range turns {
			order := upTo(len(sides))
			if (round+turn)%2 == 1 {
				slices.Reverse(order)
			}
			for _, i := range order {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				v, err := sides[i]()
				if err != nil {
					return nil, err
				}
				measured[i] = append(measured[i], v)
			}
		}
		for i := range sides {
			if round > 0 {
				all[i] = append(all[i], percentile(measured[i], 50))
			}
		}
	}
	return all, nil
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// over divides round by round.
func (s samples) over(other samples) samples {
	return s.combine(other, func(a, b float64) float64 { return a / b })
}

// plus adds n times other, round by round.
func (s samples) plus(n float64, other samples) samples {
	return s.combine(other, func(a, b float64) float64 { return a + n*b })
}

func (s samples) combine(other samples, f func(a, b float64) float64) samples {
	all := make(samples, len(s))
	for i := range s {
		all[i] = f(s[i], other[i])
	}
	return all
}

func (s samples) median() float64 { return percentile(s, 50) }

// percentile is the smallest value that p percent of the values do not exceed;
// for the median of an even number of values it is the mean of the middle two.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if p == 50 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[max(0, int(math.Ceil(p/100*float64(n)))-1)]
}
