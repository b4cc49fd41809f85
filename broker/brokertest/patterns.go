package brokertest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// glob parses a pattern that is known to be good.
func glob(text string) broker.Pattern {
	p, err := broker.Glob(text)
	if err != nil {
		panic(err)
	}
	return p
}

var patternCases = []testCase{
	{"which queues", func(t *testing.T, s *store) {
		for _, q := range []string{"a", "a.b", "a.c", "aa", "A", "b", "b.a", "_", "a-b"} {
			s.write(t, q, "x", "y")
		}
		notB := func(queue string) bool { return queue == "a.b" || queue == "b" }
		for _, tt := range []struct {
			name    string
			pattern broker.Pattern
			want    string
		}{
			{"all", broker.Pattern{}, "A _ a a-b a.b a.c aa b b.a"},
			{"empty prefix", broker.Prefix(""), "A _ a a-b a.b a.c aa b b.a"},
			{"prefix", broker.Prefix("a"), "a a-b a.b a.c aa"},
			{"prefix that is no glob", broker.Prefix("a*"), ""},
			{"prefix behind all", broker.Prefix("z"), ""},
			{"exact", glob("a"), "a"},
			{"star", glob("*"), "A _ a a-b a.b a.c aa b b.a"},
			{"prefix and star", glob("a.*"), "a.b a.c"},
			{"suffix", glob("*a"), "a aa b.a"},
			{"one character", glob("?"), "A _ a b"},
			{"class", glob("[ab]"), "a b"},
			{"negated", glob("[!ab]*"), "A _"},
			{"empty", glob(""), ""},
			{"except", broker.Prefix("a").Except(notB), "a a-b a.c aa"},
			{"except more", broker.Pattern{}.Except(notB).Except(func(q string) bool { return strings.HasPrefix(q, "a") }), "A _ b.a"},
		} {
			var names []string
			for name, err := range s.Queues(tt.pattern).Names(t.Context()) {
				must(t, err)
				names = append(names, name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
			if diff := cmp.Diff(s.statsOf(t, names), s.allStats(t, tt.pattern)); diff != "" {
				t.Errorf("%s: stats (-one by one +all):\n%s", tt.name, diff)
			}
		}
	}},
	{"many", func(t *testing.T, s *store) {
		// More than a page, of which some match: a page may have no match at all.
		s.update(t, func(tx *broker.Tx) error {
			for i := range 700 {
				if _, err := tx.Write(fmt.Sprintf("q%03d.%d", i, i%7), "x"); err != nil {
					return err
				}
			}
			return nil
		})
		if all := s.allStats(t, glob("q[0-6]??.3")); len(all) != 100 || all[99].Queue != "q696.3" {
			t.Errorf("%d queues match, want 100 up to q696.3", len(all))
		}
		if all := s.allStats(t, glob("*699.*")); len(all) != 1 {
			t.Errorf("%v match, want q699.6 only", all)
		}
	}},
	{"counting broken off", func(t *testing.T, s *store) {
		s.write(t, "a", "x")
		s.write(t, "b", "x")
		for range s.Queues(broker.Pattern{}).Stats(t.Context()) {
			break
		}
		s.write(t, "c", "x")
		s.lists(t, "a", "b", "c")
	}},
	{"counts while messages go", func(t *testing.T, s *store) {
		written := s.fill(t, "q", 100)
		s.write(t, "r", "x")
		for range 60 {
			_, err := s.Queue("q").Delete(t.Context(), broker.Select{ID: written[rand.IntN(len(written))]})
			must(t, err)
		}
		if diff := cmp.Diff(s.statsOf(t, []string{"q", "r"}), s.allStats(t, broker.Pattern{})); diff != "" {
			t.Errorf("stats (-one by one +all):\n%s", diff)
		}
	}},
}

// allStats are the counts of the queues that match.
func (s *store) allStats(t testing.TB, p broker.Pattern) (all []broker.Stats) {
	t.Helper()
	for st, err := range s.Queues(p).Stats(t.Context()) {
		must(t, err)
		all = append(all, st)
	}
	return all
}

// statsOf are the counts of queues, asked for one by one.
func (s *store) statsOf(t testing.TB, names []string) (all []broker.Stats) {
	t.Helper()
	for _, name := range names {
		st, err := s.Queue(name).Stats(t.Context())
		must(t, err)
		all = append(all, st)
	}
	return all
}
