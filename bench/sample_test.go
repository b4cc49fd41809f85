package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 50, 2},
		{[]float64{4, 1, 3, 2}, 50, 2.5},
		{[]float64{7}, 99.9, 7},
		{[]float64{5, 1, 4, 2, 3}, 25, 2},
		{[]float64{5, 1, 4, 2, 3}, 0, 1},
		{[]float64{5, 1, 4, 2, 3}, 100, 5},
	} {
		if got := percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("percentile(%v, %v) = %v, want %v", tt.values, tt.p, got, tt.want)
		}
	}
	if got := percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("percentile of nothing = %v, want NaN", got)
	}
}

func TestCompareTakesTurns(t *testing.T) {
	t.Parallel()
	var order strings.Builder
	count := 0.0
	side := func(name string) side {
		return func() (float64, error) {
			order.WriteString(name)
			count++
			return count, nil
		}
	}
	s, err := compare(t.Context(), 2, 3, side("a"), side("b"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := order.String(), "abbaab"+"baabba"+"abbaab"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	// The first round is dropped; a's turns in the second are the numbers 8, 9 and 12.
	if want := []samples{{9, 16}, {10, 15}}; !slices.EqualFunc(s, want, slices.Equal) {
		t.Errorf("samples %v, want %v", s, want)
	}
}

func TestCompareStops(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	if _, err := compare(t.Context(), 1, 1, func() (float64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the side", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := compare(ctx, 1, 1, func() (float64, error) { return 0, nil }); !errors.Is(err, broken) {
		t.Errorf("error %v, want the cause of the context's end", err)
	}
}
