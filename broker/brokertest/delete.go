package brokertest

import (
	"testing"

	"weft/broker"
)

var deleteCases = []testCase{
	{"counts", func(t *testing.T, s *store) {
		written := s.fill(t, "q", 10)
		for _, step := range []struct {
			sel  broker.Select
			want int
		}{
			{broker.Select{ID: written[4]}, 1},
			{broker.Select{ID: written[4]}, 0},
			{broker.Select{Limit: 3}, 3},
			{broker.Select{After: written[7]}, 2},
			{broker.Select{}, 4},
			{broker.Select{}, 0},
		} {
			n, err := s.Queue("q").Delete(t.Context(), step.sel)
			if err != nil || n != step.want {
				t.Errorf("delete %+v: %d, %v, want %d", step.sel, n, err, step.want)
			}
		}
		s.holds(t, "q")
	}},
	{"leaves other queues alone", func(t *testing.T, s *store) {
		a := s.write(t, "a", "1")
		s.write(t, "b", "2")
		n, err := s.Queue("b").Delete(t.Context(), broker.Select{ID: a[0]})
		if err != nil || n != 0 {
			t.Errorf("deleted %d of another queue, %v", n, err)
		}
		_, err = s.Queue("b").Delete(t.Context(), broker.Select{})
		must(t, err)
		s.holds(t, "a", "1")
		s.holds(t, "b")
	}},
	{"many", func(t *testing.T, s *store) {
		s.fill(t, "q", 2000)
		n, err := s.Queue("q").Delete(t.Context(), broker.Select{})
		if err != nil || n != 2000 {
			t.Errorf("deleted %d of 2000, %v", n, err)
		}
	}},
	{"is durable", func(t *testing.T, s *store) {
		s.write(t, "q", "1", "2")
		_, err := s.Queue("q").Delete(t.Context(), broker.Select{Limit: 1})
		must(t, err)
		s.reopen(t)
		s.holds(t, "q", "2")
	}},
}
