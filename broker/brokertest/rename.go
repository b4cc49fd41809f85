package brokertest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var renameCases = []testCase{
	{"messages keep their ids, aliases follow", func(t *testing.T, s *store) {
		written := s.fill(t, "old", 5)
		s.write(t, "other", "x")
		s.alias(t, "a", "old")
		s.alias(t, "b", "old")
		s.alias(t, "c", "other")
		n, err := s.Rename(t.Context(), "old", "new")
		if err != nil || n != 5 {
			t.Errorf("renamed %d messages, %v", n, err)
		}
		s.lists(t, "new", "other")
		if diff := cmp.Diff(written, ids(s.messages(t, "new"))); diff != "" {
			t.Errorf("ids (-before +after):\n%s", diff)
		}
		s.aliased(t, broker.Alias{Name: "a", Queue: "new"}, broker.Alias{Name: "b", Queue: "new"}, broker.Alias{Name: "c", Queue: "other"})
	}},
	{"refused, and nothing is changed", func(t *testing.T, s *store) {
		s.write(t, "q", "x")
		s.write(t, "taken", "y")
		s.alias(t, "a", "q")
		s.alias(t, "b", "taken")
		before, aliases := s.state(t), s.aliases(t)
		for _, tt := range []struct {
			name, from, to string
			want           error
		}{
			{"no such queue", "none", "new", broker.ErrEmpty},
			{"a queue has the name", "q", "taken", broker.ErrExists},
			{"its own name", "q", "q", broker.ErrSameQueue},
			{"its own name, and it does not exist", "none", "none", broker.ErrSameQueue},
			{"from a bad name", "a b", "new", broker.ErrName},
			{"to a bad name", "q", "@new", broker.ErrName},
			// An alias would stand for a name that is an alias.
			{"the name of its alias", "q", "a", broker.ErrAlias},
			{"the name of another alias", "q", "b", broker.ErrAlias},
		} {
			n, err := s.Rename(t.Context(), tt.from, tt.to)
			wants(t, tt.name, err, tt.want)
			if n != 0 {
				t.Errorf("%s: renamed %d messages", tt.name, n)
			}
		}
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
		s.aliased(t, aliases...)
	}},
	{"to the name of an alias, where none follows", func(t *testing.T, s *store) {
		s.write(t, "q", "x")
		s.alias(t, "a", "other")
		_, err := s.Rename(t.Context(), "q", "a")
		must(t, err)
		s.holds(t, "a", "x")
	}},
	{"wakes who waits for the new name", func(t *testing.T, s *store) {
		s.write(t, "old", "x")
		w, err := s.Listen("new")
		must(t, err)
		defer w.Close()
		other := s.handle(t)
		defer other.Close()
		_, err = other.Rename(t.Context(), "old", "new")
		must(t, err)
		soon(t, "the ring of the new name", w.C())
	}},
	{"writers that know the old name", func(t *testing.T, s *store) {
		// They make a queue of that name again; nothing is lost.
		s.write(t, "old", "1")
		_, err := s.Rename(t.Context(), "old", "new")
		must(t, err)
		s.write(t, "old", "2")
		_, err = s.Rename(t.Context(), "old", "new")
		wants(t, "second rename", err, broker.ErrExists)
		s.holds(t, "new", "1")
		s.holds(t, "old", "2")
	}},
}
