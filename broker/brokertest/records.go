package brokertest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var recordCases = []testCase{
	{"put, get, replace, delete", func(t *testing.T, s *store) {
		_, err := s.Record(t.Context(), "task", "a")
		wants(t, "get", err, broker.ErrNotFound)
		for _, r := range []broker.Record{
			{Kind: "task", Key: "a", State: "created", Rank: 1, Body: `{"n":1}`},
			{Kind: "task", Key: "a", State: "running", Rank: 7, Body: "ü\x00\n"},
			{Kind: "task", Key: "a", Rank: 7},
			{Kind: "task", Key: "", State: "", Rank: 1},
			{Kind: "task", Key: "with space/and ünicode\n", State: "x y", Rank: 1 << 62, Body: strings.Repeat("x", 1<<16)},
		} {
			s.put(t, r)
			got, err := s.Record(t.Context(), r.Kind, r.Key)
			must(t, err)
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("record (-put +got):\n%s", diff)
			}
		}
		for range 2 { // the second time it is gone already
			s.update(t, func(tx *broker.Tx) error { return tx.DeleteRecord("task", "a") })
			_, err = s.Record(t.Context(), "task", "a")
			wants(t, "get", err, broker.ErrNotFound)
		}
	}},
	{"kinds are apart", func(t *testing.T, s *store) {
		s.put(t, broker.Record{Kind: "task", Key: "1", Rank: 1, Body: "task"}, broker.Record{Kind: "manager", Key: "1", Rank: 1, Body: "manager"})
		s.update(t, func(tx *broker.Tx) error { return tx.DeleteRecord("manager", "1") })
		r, err := s.Record(t.Context(), "task", "1")
		if err != nil || r.Body != "task" {
			t.Errorf("record %+v, %v", r, err)
		}
		_, err = s.Record(t.Context(), "manager", "1")
		wants(t, "get", err, broker.ErrNotFound)
	}},
	{"lists", func(t *testing.T, s *store) {
		// Key, state and rank are in three different orders.
		s.put(t,
			broker.Record{Kind: "task", Key: "e", State: "done", Rank: 10},
			broker.Record{Kind: "task", Key: "d", State: "running", Rank: 20},
			broker.Record{Kind: "task", Key: "b", State: "done", Rank: 30},
			broker.Record{Kind: "task", Key: "c", State: "created", Rank: 30},
			broker.Record{Kind: "task", Key: "a", State: "running", Rank: 40},
			broker.Record{Kind: "manager", Key: "m", State: "running", Rank: 25},
		)
		for _, list := range []struct {
			name string
			sel  broker.RecordSelect
			want string
		}{
			{"all, by rank, then key", broker.RecordSelect{}, "edbca"},
			{"newest first", broker.RecordSelect{Newest: true}, "acbde"},
			{"one state", broker.RecordSelect{States: []string{"running"}}, "da"},
			{"two states", broker.RecordSelect{States: []string{"running", "created"}}, "dca"},
			{"a state that none has", broker.RecordSelect{States: []string{"lost"}}, ""},
			{"limit", broker.RecordSelect{Limit: 2}, "ed"},
			{"newest, limit", broker.RecordSelect{Newest: true, Limit: 2}, "ac"},
			{"after a rank", broker.RecordSelect{AfterRank: 20}, "bca"},
			{"after a rank, limit", broker.RecordSelect{AfterRank: 20, Limit: 1}, "b"},
			{"newest after a rank", broker.RecordSelect{AfterRank: 20, Newest: true}, "acb"},
			{"before a rank", broker.RecordSelect{BeforeRank: 30}, "ed"},
			{"newest before a rank, limit", broker.RecordSelect{BeforeRank: 40, Newest: true, Limit: 2}, "cb"},
			{"states between ranks", broker.RecordSelect{States: []string{"done", "running"}, AfterRank: 10, BeforeRank: 40, Newest: true}, "bd"},
			{"before the first", broker.RecordSelect{BeforeRank: 10}, ""},
			{"after the last", broker.RecordSelect{AfterRank: 40}, ""},
			{"everything at once", broker.RecordSelect{States: []string{"done", "running"}, AfterRank: 10, Limit: 2, Newest: true}, "ab"},
		} {
			outside, err := s.Broker.Records(t.Context(), "task", list.sel)
			must(t, err)
			var inside []broker.Record
			s.update(t, func(tx *broker.Tx) (err error) { inside, err = tx.Records("task", list.sel); return err })
			for where, rs := range map[string][]broker.Record{"outside": outside, "inside": inside} {
				if got := keys(rs); got != list.want {
					t.Errorf("%s, %s a transaction: %q, want %q", list.name, where, got, list.want)
				}
			}
		}
	}},
	{"counts by state", func(t *testing.T, s *store) {
		count := func(want map[string]int) {
			t.Helper()
			got, err := broker.CountRecords(t.Context(), s.Broker, "task")
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			var states []string
			s.look(t, func(r broker.Reader) (err error) { states, err = r.States("task", ""); return err })
			if want := slices.Sorted(maps.Keys(want)); !slices.Equal(states, want) {
				t.Errorf("states %q, want %q", states, want)
			}
			s.look(t, func(r broker.Reader) (err error) { states, err = r.States("task", "created"); return err })
			if want := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(state string) bool { return state < "created" }); !slices.Equal(states, want) {
				t.Errorf("states from created on %q, want %q", states, want)
			}
		}
		count(map[string]int{})
		s.put(t,
			broker.Record{Kind: "task", Key: "a", State: "created", Rank: 1},
			broker.Record{Kind: "task", Key: "b", State: "created", Rank: 1},
			broker.Record{Kind: "task", Key: "c", Rank: 2},
			broker.Record{Kind: "manager", Key: "m", State: "running", Rank: 1},
		)
		count(map[string]int{"created": 2, "": 1})
		s.put(t, broker.Record{Kind: "task", Key: "a", State: "done", Rank: 1})
		count(map[string]int{"created": 1, "done": 1, "": 1})
	}},
	{"change of state and rank moves it in the lists", func(t *testing.T, s *store) {
		s.put(t, broker.Record{Kind: "task", Key: "a", State: "created", Rank: 1}, broker.Record{Kind: "task", Key: "b", State: "created", Rank: 2})
		s.put(t, broker.Record{Kind: "task", Key: "a", State: "done", Rank: 3})
		for state, want := range map[string]string{"created": "b", "done": "a"} {
			rs, err := s.Broker.Records(t.Context(), "task", broker.RecordSelect{States: []string{state}})
			if got := keys(rs); err != nil || got != want {
				t.Errorf("%s: %q, %v, want %q", state, got, err, want)
			}
		}
		rs, err := s.Broker.Records(t.Context(), "task", broker.RecordSelect{})
		if got := keys(rs); err != nil || got != "ba" {
			t.Errorf("all: %q, %v, want ba", got, err)
		}
	}},
	{"with the messages or not at all", func(t *testing.T, s *store) {
		s.put(t, broker.Record{Kind: "task", Key: "a", State: "created", Rank: 1})
		s.write(t, "in", "a")
		start := func(tx *broker.Tx) error {
			if _, err := tx.Move("in", "reserved", broker.Select{}); err != nil {
				return err
			}
			return tx.PutRecord(broker.Record{Kind: "task", Key: "a", State: "running", Rank: 1})
		}
		err := s.Update(t.Context(), func(tx *broker.Tx) error {
			if err := start(tx); err != nil {
				return err
			}
			return errRefused
		})
		wants(t, "update", err, errRefused)
		s.holds(t, "in", "a")
		r, err := s.Record(t.Context(), "task", "a")
		if err != nil || r.State != "created" {
			t.Errorf("record after the rollback %+v, %v", r, err)
		}
		s.update(t, start)
		s.reopen(t)
		s.holds(t, "reserved", "a")
		r, err = s.Record(t.Context(), "task", "a")
		if err != nil || r.State != "running" {
			t.Errorf("record after the commit %+v, %v", r, err)
		}
	}},
	{"a record that has changed is not swapped", func(t *testing.T, s *store) {
		first := broker.Record{Kind: "task", Key: "a", State: "created", Rank: 1, Body: "1"}
		second := broker.Record{Kind: "task", Key: "a", State: "running", Rank: 2, Body: "2"}
		swap := func(old, r broker.Record) (swapped bool) {
			t.Helper()
			s.update(t, func(tx *broker.Tx) (err error) { swapped, err = tx.SwapRecord(old, r); return err })
			return swapped
		}
		if swap(first, second) {
			t.Error("a record that is not there was swapped")
		}
		s.put(t, first)
		if !swap(first, second) {
			t.Error("a record as it was read was not swapped")
		}
		for _, old := range []broker.Record{
			first,
			{Kind: "task", Key: "a", State: "created", Rank: 2, Body: "2"},
			{Kind: "task", Key: "a", State: "running", Rank: 1, Body: "2"},
			{Kind: "task", Key: "a", State: "running", Rank: 2, Body: "1"},
		} {
			if swap(old, first) {
				t.Errorf("a record was swapped that is not %+v", old)
			}
		}
		r, err := s.Record(t.Context(), "task", "a")
		if err != nil || r != second {
			t.Errorf("afterwards %+v, %v, want %+v", r, err, second)
		}
		err = s.Update(t.Context(), func(tx *broker.Tx) error {
			_, err := tx.SwapRecord(second, broker.Record{Kind: "task", Key: "b"})
			return err
		})
		if err == nil {
			t.Error("a record was swapped for another one's")
		}
	}},
}

// put puts records in one transaction.
func (s *store) put(t testing.TB, rs ...broker.Record) {
	t.Helper()
	s.update(t, func(tx *broker.Tx) error {
		for _, r := range rs {
			if err := tx.PutRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// keys joins the keys of records, which have one letter.
func keys(rs []broker.Record) (joined string) {
	for _, r := range rs {
		joined += r.Key
	}
	return joined
}
