package brokertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// change runs fn in a transaction of the backend.
func (s *store) change(t testing.TB, fn func(broker.BackendTx) error) {
	t.Helper()
	must(t, s.raw.Update(context.Background(), fn))
}

// look runs fn on the backend's reader.
func (s *store) look(t testing.TB, fn func(broker.Reader) error) {
	t.Helper()
	must(t, s.raw.View(context.Background(), fn))
}

// restoreCases are about what the backend does for a copy of a store to become
// a store again, and for much at once.
var restoreCases = []testCase{
	{"under the ids that they had", func(t *testing.T, s *store) {
		now := s.write(t, "b", "there")[0]
		var ms []broker.Message
		for i := range 130 { // more than go into one statement
			ms = append(ms, broker.Message{ID: now - 300 + 2*broker.ID(i), Queue: []string{"a", "b"}[i%2], Body: fmt.Sprint(i)})
		}
		s.change(t, func(txn broker.BackendTx) error { return txn.Restore(ms) })
		var a, b []broker.Message
		for _, m := range ms {
			if m.Queue == "a" {
				a = append(a, m)
			} else {
				b = append(b, m)
			}
		}
		b = append(b, broker.Message{ID: now, Queue: "b", Body: "there"})
		for q, want := range map[string][]broker.Message{"a": a, "b": b} {
			if diff := cmp.Diff(want, s.messages(t, q)); diff != "" {
				t.Errorf("queue %s (-want +got):\n%s", q, diff)
			}
		}
		s.change(t, func(txn broker.BackendTx) error { return txn.Restore(nil) })
	}},
	{"of an id that is in use", func(t *testing.T, s *store) {
		taken := s.write(t, "q", "there")[0]
		before := s.state(t)
		for _, n := range []int{0, 1, 60} { // how many come before it
			for _, id := range []broker.ID{taken, 5} {
				var ms []broker.Message
				for i := range n {
					ms = append(ms, broker.Message{ID: broker.ID(i + 1), Queue: "r"})
				}
				ms = append(ms, broker.Message{ID: id, Queue: "r"})
				if id != taken {
					ms = append(ms, broker.Message{ID: id, Queue: "q"})
				}
				err := s.raw.Update(t.Context(), func(txn broker.BackendTx) error {
					if _, err := txn.Insert("r", "never"); err != nil {
						return err
					}
					return txn.Restore(ms)
				})
				wants(t, fmt.Sprintf("restore of %v behind %d", id, n), err, broker.ErrExists)
			}
		}
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
	}},
	{"from the future", func(t *testing.T, s *store) {
		future := broker.IDAt(epoch.AddDate(10, 0, 0))
		s.change(t, func(txn broker.BackendTx) error {
			return txn.Restore([]broker.Message{{ID: future, Queue: "q", Body: "x"}})
		})
		if id := s.write(t, "q", "y")[0]; id <= future {
			t.Errorf("id %v after %v", id, future)
		}
		s.drains(t, "q", "x", "y")
		s.reopen(t)
		if id := s.write(t, "q", "z")[0]; id <= future+1 {
			t.Errorf("id %v after %v", id, future+1)
		}
	}},
	{"advance", func(t *testing.T, s *store) {
		first := s.write(t, "q", "x")[0]
		for _, floor := range []broker.ID{first + 5_000_000, first, 1} { // only the first has an effect
			s.change(t, func(txn broker.BackendTx) error { return txn.Advance(floor) })
		}
		if info, err := s.Info(t.Context()); err != nil || info.LastID != first+5_000_000 {
			t.Errorf("last id %v, %v, want %v", info.LastID, err, first+5_000_000)
		}
		s.reopen(t)
		if id := s.write(t, "q", "y")[0]; id != first+5_000_001 {
			t.Errorf("id %v, want %v", id, first+5_000_001)
		}
		written, err := s.Queue("q").WriteAll(t.Context(), []string{"a", "b"})
		if want := []broker.ID{first + 5_000_002, first + 5_000_003}; err != nil || !slices.Equal(written, want) {
			t.Errorf("ids %v, %v, want %v", written, err, want)
		}
	}},
	{"advance of an empty store", func(t *testing.T, s *store) {
		floor := broker.IDAt(epoch.AddDate(1, 0, 0))
		s.change(t, func(txn broker.BackendTx) error { return txn.Advance(floor) })
		s.lists(t)
		s.reopen(t)
		if id := s.write(t, "q", "x")[0]; id != floor+1 {
			t.Errorf("id %v, want %v", id, floor+1)
		}
	}},
	{"advance that is rolled back", func(t *testing.T, s *store) {
		err := s.raw.Update(t.Context(), func(txn broker.BackendTx) error {
			if err := txn.Advance(broker.IDAt(epoch.AddDate(1, 0, 0))); err != nil {
				return err
			}
			return errRefused
		})
		wants(t, "update", err, errRefused)
		if id := s.write(t, "q", "x")[0]; id != broker.IDAt(epoch) {
			t.Errorf("id %v, want %v", id, broker.IDAt(epoch))
		}
	}},
	{"insert all among others", func(t *testing.T, s *store) {
		var given []broker.ID
		s.change(t, func(txn broker.BackendTx) error {
			given = nil
			for _, n := range []int{1, 0, 49, 50, 51, 200} {
				ids, err := txn.InsertAll("q", numbers(n))
				if err != nil {
					return err
				}
				if len(ids) != n {
					t.Errorf("%d ids for %d messages", len(ids), n)
				}
				id, err := txn.Insert("q", "one")
				if err != nil {
					return err
				}
				given = append(append(given, ids...), id)
			}
			return nil
		})
		if !rising(given) {
			t.Error("ids do not rise")
		}
		ms := s.messages(t, "q")
		if diff := cmp.Diff(given, ids(ms)); diff != "" {
			t.Errorf("ids (-given +stored):\n%s", diff)
		}
		if want := append([]string{"0", "one", "one"}, numbers(49)...); !slices.Equal(bodies(ms)[:len(want)], want) {
			t.Errorf("stored %q, want %q", bodies(ms)[:len(want)], want)
		}
	}},
	{"scan of all queues", func(t *testing.T, s *store) {
		s.write(t, "b", "1")
		s.write(t, "a", "2", "3")
		last := s.write(t, "b", "4")[0]
		scan := func(sel broker.Select, most int) (got []string) {
			s.look(t, func(r broker.Reader) error {
				return r.Scan("", sel, func(m broker.Message) bool {
					got = append(got, m.Queue+m.Body)
					return len(got) < most
				})
			})
			return got
		}
		for _, tt := range []struct {
			sel  broker.Select
			most int
			want []string
		}{
			{broker.Select{}, 9, []string{"b1", "a2", "a3", "b4"}},
			{broker.Select{}, 1, []string{"b1"}},
			{broker.Select{Limit: 3}, 9, []string{"b1", "a2", "a3"}},
			{broker.Select{Before: last, Limit: 3}, 2, []string{"b1", "a2"}},
			{broker.Select{ID: last}, 9, []string{"b4"}},
			{broker.Select{After: last}, 9, nil},
		} {
			if diff := cmp.Diff(tt.want, scan(tt.sel, tt.most)); diff != "" {
				t.Errorf("%+v, broken off after %d (-want +got):\n%s", tt.sel, tt.most, diff)
			}
		}
		s.write(t, "c", "and then write")
	}},
	{"kinds", func(t *testing.T, s *store) {
		kinds := func() (names []string) {
			s.look(t, func(r broker.Reader) (err error) { names, err = r.Kinds(); return err })
			return names
		}
		if got := kinds(); len(got) > 0 {
			t.Errorf("kinds %q of an empty store", got)
		}
		s.tasks(t, 30)
		s.put(t, broker.Record{Kind: "Z", Key: "k", Rank: 1}, broker.Record{Kind: "manager", Key: "k", Rank: 1})
		if diff := cmp.Diff([]string{"Z", "manager", "task"}, kinds()); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
		s.update(t, func(tx *broker.Tx) error { return tx.DeleteRecord("manager", "k") })
		if diff := cmp.Diff([]string{"Z", "task"}, kinds()); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
	}},
}
