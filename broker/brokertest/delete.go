package brokertest

import (
	"errors"
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
	{"clears several at once, and no others", func(t *testing.T, s *store) {
		for _, queue := range []string{"t.a", "t.b", "t.c", "t.d", "t.e", "u"} {
			s.write(t, queue, "1", "2")
		}
		s.update(t, func(tx *broker.Tx) error {
			if _, err := tx.Write("t.d", "3"); err != nil {
				return err
			}
			return errors.Join(tx.Clear("t.d", "t.b", "t.none", "t.e"), tx.Clear())
		})
		for _, queue := range []string{"t.a", "t.c", "u"} {
			s.holds(t, queue, "1", "2")
		}
		for _, queue := range []string{"t.b", "t.d", "t.e"} {
			s.holds(t, queue)
		}
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
