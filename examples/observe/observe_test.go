package observe

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ids := write(t, b, "q", "a", "b", "c")
	info, err := b.Info(t.Context())
	must(t, err)
	tests := []struct {
		name  string
		after broker.ID
		keep  Filter
		want  []string
	}{
		{"all", 0, nil, []string{"a", "b", "c", "new"}},
		{"from an id on", ids[0], nil, []string{"b", "c", "new"}},
		{"from now on", info.LastID, nil, []string{"new"}},
		{"sampled", 0, Every(3), []string{"a", "new"}},
	}
	write(t, b, "q", "new")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for m, err := range Observe(t.Context(), b.Queue("q"), tt.after, tt.keep) {
				must(t, err)
				if got = append(got, m.Body); m.Body == "new" {
					break
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
			if n := len(contents(t, b, "q")); n != 4 {
				t.Errorf("%d messages are left of 4", n)
			}
		})
	}
}

func TestObserveEnds(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	defer cancel(nil)
	write(t, b, "q", "a")
	var last error
	for _, err := range Observe(ctx, b.Queue("q"), 0, nil) {
		cancel(reason)
		last = err
	}
	if !errors.Is(last, reason) {
		t.Errorf("it ended with %v, want %v", last, reason)
	}
	for _, err := range Observe(t.Context(), b.Queue("no good"), 0, Every(2)) {
		if !errors.Is(err, broker.ErrName) {
			t.Errorf("error %v, want %v", err, broker.ErrName)
		}
	}
}
