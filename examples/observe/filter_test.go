package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	at := func(seconds ...int) (ms []broker.Message) {
		for _, s := range seconds {
			ms = append(ms, broker.Message{ID: broker.IDAt(time.Unix(1e9, 0).Add(time.Duration(s) * time.Second))})
		}
		return ms
	}
	tests := []struct {
		name   string
		filter Filter
		ms     []broker.Message
		want   []int // the indexes of the messages that are wanted
	}{
		{"nil", nil, at(0, 1), []int{0, 1}},
		{"every third", Every(3), at(0, 1, 2, 3, 4, 5, 6), []int{0, 3, 6}},
		{"every first", Every(1), at(0, 1), []int{0, 1}},
		{"every zeroth", Every(0), at(0, 1), []int{0, 1}},
		{"spaced", Spaced(3 * time.Second), at(0, 1, 2, 5, 7, 9), []int{0, 3, 5}},
		{"spaced by nothing", Spaced(0), at(0, 0), []int{0, 1}},
		{"none", Share(0, 1), at(0, 1, 2, 3), nil},
		{"all", Share(1, 1), at(0, 1, 2, 3), []int{0, 1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for i, m := range tt.ms {
				if tt.filter.wants(m) {
					got = append(got, i)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("wanted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestShare counts over ids that follow each other as closely as they can, and
// over seeds that do.
func TestShare(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for _, share := range []float64{0.01, 0.25, 0.9} {
		both := 0
		for seed := range uint64(3) {
			wanted := 0
			here, elsewhere, next := Share(share, seed), Share(share, seed), Share(share, seed+1)
			for i := range broker.ID(n) {
				m := broker.Message{ID: 1_800_000_000_000_000_000 + i}
				if here(m) != elsewhere(m) {
					t.Fatalf("two decisions about message %v", m.ID)
				}
				if here(m) {
					wanted++
					if next(m) {
						both++
					}
				}
			}
			// Seven standard deviations of a fair draw are less than 0.025.
			if got := float64(wanted) / n; got < share-0.025 || got > share+0.025 {
				t.Errorf("share %v, seed %d: wants %v", share, seed, got)
			}
		}
		if got := float64(both) / (3 * n); got > share*share+0.025 {
			t.Errorf("share %v: neighbouring seeds agree on %v", share, got)
		}
	}
}
