package brokertest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var moveCases = []testCase{
	{"keeps id and body", func(t *testing.T, s *store) {
		written := s.write(t, "a", "first", "second")
		m, err := s.Queue("a").Move(t.Context(), "b")
		must(t, err)
		want := broker.Message{ID: written[0], Queue: "b", Body: "first"}
		if m != want {
			t.Errorf("moved %+v, want %+v", m, want)
		}
		if diff := cmp.Diff([]broker.Message{want}, s.messages(t, "b")); diff != "" {
			t.Errorf("destination (-want +got):\n%s", diff)
		}
		s.holds(t, "a", "second")
	}},
	{"goes to its place by id", func(t *testing.T, s *store) {
		s.write(t, "a", "1")
		s.write(t, "b", "2")
		s.write(t, "a", "3")
		s.write(t, "b", "4")
		_, err := s.Queue("b").MoveAll(t.Context(), "a", broker.Select{})
		must(t, err)
		s.holds(t, "a", "1", "2", "3", "4")
		s.holds(t, "b")
	}},
	{"there and back", func(t *testing.T, s *store) {
		s.write(t, "a", "1", "2", "3")
		before := s.messages(t, "a")
		for range 3 {
			_, err := s.Queue("a").MoveAll(t.Context(), "b", broker.Select{})
			must(t, err)
			_, err = s.Queue("b").MoveAll(t.Context(), "a", broker.Select{})
			must(t, err)
		}
		if diff := cmp.Diff(before, s.messages(t, "a")); diff != "" {
			t.Errorf("queue (-before +after):\n%s", diff)
		}
	}},
	{"onto itself", func(t *testing.T, s *store) {
		s.write(t, "a", "1")
		_, err := s.Queue("a").Move(t.Context(), "a")
		wants(t, "move", err, broker.ErrSameQueue)
		_, err = s.Queue("a").MoveAll(t.Context(), "a", broker.Select{})
		wants(t, "move all", err, broker.ErrSameQueue)
		wants(t, "watch", last(s.Queue("a").Watch(t.Context(), broker.WatchOptions{MoveTo: "a"})), broker.ErrSameQueue)
		s.update(t, func(tx *broker.Tx) error {
			_, err := tx.Move("a", "a", broker.Select{})
			wants(t, "move in a transaction", err, broker.ErrSameQueue)
			return nil
		})
		s.holds(t, "a", "1")
	}},
	{"then write", func(t *testing.T, s *store) {
		written := s.write(t, "a", "1", "2")
		_, err := s.Queue("a").MoveAll(t.Context(), "b", broker.Select{After: written[0], Limit: 1})
		must(t, err)
		s.write(t, "b", "3")
		s.holds(t, "a", "1")
		s.holds(t, "b", "2", "3")
	}},
	{"behind a checkpoint is not seen after it", func(t *testing.T, s *store) {
		// An id says when a message was written, not when it came to a queue: who
		// follows a queue into which others move must not use After.
		s.write(t, "a", "old")
		checkpoint := s.write(t, "b", "new")[0]
		_, err := s.Queue("a").Move(t.Context(), "b")
		must(t, err)
		for m, err := range s.Queue("b").Messages(t.Context(), broker.Select{After: checkpoint}) {
			t.Errorf("saw %+v, %v", m, err)
		}
		s.holds(t, "b", "old", "new")
	}},
	{"reserve, work, delete", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b")
		m, err := s.Queue("jobs").Move(t.Context(), "jobs.reserved")
		must(t, err)
		s.reopen(t) // the worker dies; the job is not lost
		s.holds(t, "jobs.reserved", "a")
		n, err := s.Queue("jobs.reserved").Delete(t.Context(), broker.Select{ID: m.ID})
		if err != nil || n != 1 {
			t.Errorf("deleted %d, %v", n, err)
		}
		s.holds(t, "jobs", "b")
	}},
}
