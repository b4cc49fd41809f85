package brokertest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var queueCases = []testCase{
	{"first in, first out", func(t *testing.T, s *store) {
		written := s.write(t, "q", "a", "b", "c")
		for i, body := range []string{"a", "b", "c"} {
			want := broker.Message{ID: written[i], Queue: "q", Body: body}
			peeked, err := s.Queue("q").Peek(t.Context())
			must(t, err)
			read, err := s.Queue("q").Read(t.Context())
			must(t, err)
			if peeked != want || read != want {
				t.Errorf("peeked %+v and read %+v, want %+v", peeked, read, want)
			}
		}
	}},
	{"empty", func(t *testing.T, s *store) {
		q := s.Queue("q")
		_, err := q.Read(t.Context())
		wants(t, "read", err, broker.ErrEmpty)
		_, err = q.Peek(t.Context())
		wants(t, "peek", err, broker.ErrEmpty)
		_, err = q.Move(t.Context(), "other")
		wants(t, "move", err, broker.ErrEmpty)
		moved, err := q.MoveAll(t.Context(), "other", broker.Select{})
		if err != nil || moved > 0 {
			t.Errorf("move all: %d, %v", moved, err)
		}
		n, err := q.Delete(t.Context(), broker.Select{})
		if err != nil || n != 0 {
			t.Errorf("delete: %d, %v", n, err)
		}
		st, err := q.Stats(t.Context())
		if want := (broker.Stats{Queue: "q"}); err != nil || st != want {
			t.Errorf("stats %+v, %v", st, err)
		}
		for range q.ReadEach(t.Context(), broker.Select{}) {
			t.Error("took something")
		}
		for range q.Messages(t.Context(), broker.Select{}) {
			t.Error("peeked something")
		}
	}},
	{"exists while it holds a message", func(t *testing.T, s *store) {
		s.lists(t)
		s.write(t, "q", "a")
		s.lists(t, "q")
		_, err := s.Queue("q").Move(t.Context(), "r")
		must(t, err)
		s.lists(t, "r")
		_, err = s.Queue("r").Read(t.Context())
		must(t, err)
		s.lists(t)
	}},
	{"listed in byte order", func(t *testing.T, s *store) {
		for _, q := range []string{"b", "a.b", "B", "_", "a", "0", "a-b", "aa", "A"} {
			s.write(t, q, "x", "y")
		}
		s.lists(t, "0", "A", "B", "_", "a", "a-b", "a.b", "aa", "b")
	}},
	{"many", func(t *testing.T, s *store) {
		var want []string
		s.update(t, func(tx *broker.Tx) error {
			want = nil
			for i := range 600 {
				want = append(want, fmt.Sprintf("q%04d", i))
				if _, err := tx.Write(want[i], "x"); err != nil {
					return err
				}
			}
			return nil
		})
		s.lists(t, want...)
	}},
	{"listing goes on while queues go", func(t *testing.T, s *store) {
		s.update(t, func(tx *broker.Tx) error {
			for i := range 600 {
				if _, err := tx.Write(fmt.Sprintf("q%04d", i), "x"); err != nil {
					return err
				}
			}
			return nil
		})
		n := 0
		for name, err := range s.Queues(broker.Pattern{}).Names(t.Context()) {
			must(t, err)
			_, err = s.Queue(name).Read(t.Context())
			must(t, err)
			n++
		}
		if n != 600 {
			t.Errorf("listed %d queues of 600", n)
		}
		s.lists(t)
	}},
	{"listing broken off", func(t *testing.T, s *store) {
		s.write(t, "a", "x")
		s.write(t, "b", "x")
		for range s.Queues(broker.Pattern{}).Names(t.Context()) {
			break
		}
		s.write(t, "c", "x")
		s.lists(t, "a", "b", "c")
	}},
	{"stats", func(t *testing.T, s *store) {
		s.write(t, "other", "x")
		written := s.fill(t, "q", 5)
		st, err := s.Queue("q").Stats(t.Context())
		must(t, err)
		if want := (broker.Stats{Queue: "q", Pending: 5, Oldest: written[0], Newest: written[4]}); st != want {
			t.Errorf("stats %+v, want %+v", st, want)
		}
	}},
	{"write all is all or nothing", func(t *testing.T, s *store) {
		if none, err := s.Queue("q").WriteAll(t.Context(), nil); err != nil || len(none) > 0 {
			t.Errorf("write nothing: %v, %v", none, err)
		}
		_, err := s.Queue("q").WriteAll(t.Context(), []string{"a", "\xff"})
		wants(t, "write all", err, broker.ErrBody)
		s.holds(t, "q")
		written, err := s.Queue("q").WriteAll(t.Context(), []string{"a", "", "c"})
		must(t, err)
		if diff := cmp.Diff(written, ids(s.messages(t, "q"))); diff != "" {
			t.Errorf("ids (-returned +stored):\n%s", diff)
		}
		s.holds(t, "q", "a", "", "c")
	}},
}

// lists fails unless the queues listed are just these.
func (s *store) lists(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for name, err := range s.Queues(broker.Pattern{}).Names(t.Context()) {
		must(t, err)
		got = append(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
}
