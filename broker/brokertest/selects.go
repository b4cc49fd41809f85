package brokertest

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// selections returns selections over the ids of a queue, each with the indices
// it picks. stranger is an id of another queue, between the third and fourth.
func selections(is []broker.ID, stranger broker.ID) []struct {
	name string
	sel  broker.Select
	want []int
} {
	return []struct {
		name string
		sel  broker.Select
		want []int
	}{
		{"all", broker.Select{}, []int{0, 1, 2, 3, 4, 5}},
		{"limit", broker.Select{Limit: 2}, []int{0, 1}},
		{"limit above", broker.Select{Limit: 7}, []int{0, 1, 2, 3, 4, 5}},
		{"after", broker.Select{After: is[1]}, []int{2, 3, 4, 5}},
		{"after and limit 1", broker.Select{After: is[1], Limit: 1}, []int{2}},
		{"after the last", broker.Select{After: is[5]}, nil},
		{"after everything", broker.Select{After: math.MaxInt64}, nil},
		{"after another queue's", broker.Select{After: stranger, Limit: 1}, []int{3}},
		{"before", broker.Select{Before: is[2]}, []int{0, 1}},
		{"before the first", broker.Select{Before: is[0]}, nil},
		{"between", broker.Select{After: is[0], Before: is[4]}, []int{1, 2, 3}},
		{"between and limit", broker.Select{After: is[0], Before: is[4], Limit: 2}, []int{1, 2}},
		{"nothing between", broker.Select{After: is[2], Before: is[3]}, nil},
		{"crossed", broker.Select{After: is[4], Before: is[1]}, nil},
		{"id", broker.Select{ID: is[3]}, []int{3}},
		{"id and limit", broker.Select{ID: is[3], Limit: 1}, []int{3}},
		{"id of another queue", broker.Select{ID: stranger}, nil},
		{"id that is after", broker.Select{ID: is[3], After: is[2]}, []int{3}},
		{"id that is not after", broker.Select{ID: is[3], After: is[3]}, nil},
		{"id that is not before", broker.Select{ID: is[3], Before: is[3]}, nil},
		{"id that was never given", broker.Select{ID: 1}, nil},
		{"greatest id there can be", broker.Select{ID: math.MaxInt64}, nil},
	}
}

// prepare writes the queue that selections are about, and returns it.
func (s *store) prepare(t testing.TB) (before []broker.Message, stranger broker.ID) {
	t.Helper()
	s.fill(t, "q", 3)
	stranger = s.write(t, "other", "stranger")[0]
	s.write(t, "q", "3", "4", "5")
	return s.messages(t, "q"), stranger
}

// An operation does something to the selected messages of queue "q" and
// returns them as it reports them; nil where it only counts.
type operation struct {
	name  string
	run   func(s *store, t testing.TB, sel broker.Select) ([]broker.Message, int)
	stays bool   // the messages remain in "q"
	dst   string // the queue they move to
}

var operations = []operation{
	{"messages", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		for m, err := range s.Queue("q").Messages(t.Context(), sel) {
			must(t, err)
			ms = append(ms, m)
		}
		return ms, len(ms)
	}, true, ""},
	{"messages in a transaction", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		s.update(t, func(tx *broker.Tx) (err error) { ms, err = tx.Messages("q", sel); return err })
		return ms, len(ms)
	}, true, ""},
	{"take", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		for m, err := range s.Queue("q").ReadEach(t.Context(), sel) {
			must(t, err)
			ms = append(ms, m)
		}
		return ms, len(ms)
	}, false, ""},
	{"read all", func(s *store, t testing.TB, sel broker.Select) ([]broker.Message, int) {
		ms, err := s.Queue("q").ReadAll(t.Context(), sel)
		must(t, err)
		return ms, len(ms)
	}, false, ""},
	{"scan in a transaction", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		s.update(t, func(tx *broker.Tx) error {
			ms = nil
			return tx.Scan("q", sel, func(m broker.Message) bool { ms = append(ms, m); return true })
		})
		return ms, len(ms)
	}, true, ""},
	{"read in a transaction", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		s.update(t, func(tx *broker.Tx) (err error) { ms, err = tx.Read("q", sel); return err })
		return ms, len(ms)
	}, false, ""},
	{"move", func(s *store, t testing.TB, sel broker.Select) ([]broker.Message, int) {
		n, err := s.Queue("q").MoveAll(t.Context(), "dst", sel)
		must(t, err)
		return nil, n
	}, false, "dst"},
	{"move in a transaction", func(s *store, t testing.TB, sel broker.Select) (ms []broker.Message, _ int) {
		s.update(t, func(tx *broker.Tx) (err error) { ms, err = tx.Move("q", "dst", sel); return err })
		return ms, len(ms)
	}, false, "dst"},
	{"move all in a transaction", func(s *store, t testing.TB, sel broker.Select) (_ []broker.Message, n int) {
		s.update(t, func(tx *broker.Tx) (err error) { n, err = tx.MoveAll("q", "dst", sel); return err })
		return nil, n
	}, false, "dst"},
	{"delete", func(s *store, t testing.TB, sel broker.Select) ([]broker.Message, int) {
		n, err := s.Queue("q").Delete(t.Context(), sel)
		must(t, err)
		return nil, n
	}, false, ""},
	{"delete in a transaction", func(s *store, t testing.TB, sel broker.Select) (_ []broker.Message, n int) {
		s.update(t, func(tx *broker.Tx) (err error) { n, err = tx.Delete("q", sel); return err })
		return nil, n
	}, false, ""},
}

// selectCases are one case for each operation, which goes through all
// selections, and some for selections of more than is fetched at once.
func selectCases() (cases []testCase) {
	for _, op := range operations {
		cases = append(cases, testCase{op.name, func(t *testing.T, s *store) {
			for i := range selections(make([]broker.ID, 6), 0) {
				before, stranger := s.prepare(t)
				sel := selections(ids(before), stranger)[i]
				op.check(t, s, sel.name, sel.sel, pick(before, sel.want))
				for _, q := range []string{"q", "dst"} {
					_, err := s.Queue(q).Delete(t.Context(), broker.Select{})
					must(t, err)
				}
			}
		}})
	}
	return append(cases, pageCases...)
}

// check runs op on sel and compares everything with what selecting want means.
func (op operation) check(t *testing.T, s *store, name string, sel broker.Select, want []broker.Message) {
	t.Helper()
	var rest []broker.Message
	for _, m := range s.messages(t, "q") {
		if op.stays || !slices.Contains(want, m) {
			rest = append(rest, m)
		}
	}
	if op.dst != "" {
		for i := range want {
			want[i].Queue = op.dst
		}
	}
	got, n := op.run(s, t, sel)
	if got != nil {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: returned (-want +got):\n%s", name, diff)
		}
	}
	if n != len(want) {
		t.Errorf("%s: concerned %d messages, want %d", name, n, len(want))
	}
	if diff := cmp.Diff(rest, s.messages(t, "q")); diff != "" {
		t.Errorf("%s: left in the queue (-want +got):\n%s", name, diff)
	}
	if op.dst != "" {
		if diff := cmp.Diff(want, s.messages(t, "dst")); diff != "" {
			t.Errorf("%s: in the destination (-want +got):\n%s", name, diff)
		}
	}
}

func pick(ms []broker.Message, indices []int) (picked []broker.Message) {
	for _, i := range indices {
		picked = append(picked, ms[i])
	}
	return picked
}

// pageCases are about selections of more messages than are fetched at once.
var pageCases = []testCase{
	{"many, peeked", func(t *testing.T, s *store) {
		written := s.fill(t, "q", 1000)
		if got := ids(s.messages(t, "q")); !slices.Equal(got, written) {
			t.Errorf("peeked %d messages, not the 1000 in order", len(got))
		}
		n := 0
		for _, err := range s.Queue("q").Messages(t.Context(), broker.Select{After: written[9], Before: written[900], Limit: 700}) {
			must(t, err)
			n++
		}
		if n != 700 {
			t.Errorf("peeked %d messages, want 700", n)
		}
	}},
	{"many, peeked while they go", func(t *testing.T, s *store) {
		s.fill(t, "q", 1000)
		n := 0
		for m, err := range s.Queue("q").Messages(t.Context(), broker.Select{}) {
			must(t, err)
			_, err = s.Queue("q").Delete(t.Context(), broker.Select{ID: m.ID})
			must(t, err)
			n++
		}
		if n != 1000 {
			t.Errorf("saw %d messages of 1000", n)
		}
	}},
	{"many, taken", func(t *testing.T, s *store) {
		written := s.fill(t, "q", 1000)
		var got []broker.ID
		for m, err := range s.Queue("q").ReadEach(t.Context(), broker.Select{Limit: 600}) {
			must(t, err)
			got = append(got, m.ID)
		}
		if !slices.Equal(got, written[:600]) {
			t.Errorf("took %d messages, not the first 600 in order", len(got))
		}
		if left := ids(s.messages(t, "q")); !slices.Equal(left, written[600:]) {
			t.Errorf("%d messages are left, not the last 400 in order", len(left))
		}
	}},
	{"broken off within the limit", func(t *testing.T, s *store) {
		s.fill(t, "q", 5)
		for _, err := range s.Queue("q").ReadEach(t.Context(), broker.Select{Limit: 1}) {
			must(t, err)
			break
		}
		s.holds(t, "q", "1", "2", "3", "4")
	}},
}
