package brokertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// shown is a queue that shows the records of tasks: their bodies, under ids
// that are their ranks.
const shown = "state.tasks"

func showTasks(queue string) broker.ViewFunc {
	if queue != shown {
		return nil
	}
	return func(r broker.Reader, sel broker.Select) (ms []broker.Message, err error) {
		rs, err := r.Records("task", broker.RecordSelect{})
		if err != nil {
			return nil, err
		}
		m := newModel()
		for _, rec := range rs {
			m.insert(shown, rec.Body, broker.ID(rec.Rank))
		}
		return m.selected(shown, sel), nil
	}
}

// viewing is a handle that knows the view.
func (s *store) viewing(t testing.TB) *broker.Broker {
	b := s.handleWith(t, broker.Options{Views: showTasks})
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// tasks puts n records of tasks, with ranks from 1 on.
func (s *store) tasks(t testing.TB, n int) {
	t.Helper()
	var rs []broker.Record
	for i := range n {
		rs = append(rs, broker.Record{Kind: "task", Key: fmt.Sprint(i), Rank: int64(i + 1), Body: fmt.Sprint(i)})
	}
	s.put(t, rs...)
}

var viewedCases = []testCase{
	{"refuse every change", func(t *testing.T, s *store) {
		s.tasks(t, 2)
		s.write(t, "x", "stays")
		b := s.viewing(t)
		before := s.state(t)
		for what, call := range everyChange(t.Context(), b, shown) {
			wants(t, what, call(), broker.ErrView)
		}
		must(t, b.Update(t.Context(), func(tx *broker.Tx) error {
			for what, call := range everyChangeIn(tx, shown) {
				wants(t, what+" in a transaction", call(), broker.ErrView)
			}
			return nil
		}))
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
	}},
	{"are peeked and counted", func(t *testing.T, s *store) {
		b := s.viewing(t)
		q := b.Queue(shown)
		_, err := q.Peek(t.Context())
		wants(t, "peek", err, broker.ErrEmpty)
		if st, err := q.Stats(t.Context()); err != nil || st != (broker.Stats{Queue: shown}) {
			t.Errorf("stats %+v, %v", st, err)
		}
		s.tasks(t, 3)
		m, err := q.Peek(t.Context())
		if want := (broker.Message{ID: 1, Queue: shown, Body: "0"}); err != nil || m != want {
			t.Errorf("peeked %+v, %v, want %+v", m, err, want)
		}
		if st, err := q.Stats(t.Context()); err != nil || st != (broker.Stats{Queue: shown, Pending: 3, Oldest: 1, Newest: 3}) {
			t.Errorf("stats %+v, %v", st, err)
		}
	}},
	{"come in pages", func(t *testing.T, s *store) {
		const n = 600
		s.tasks(t, n)
		b := s.viewing(t)
		for _, tt := range []struct {
			sel  broker.Select
			want []string
		}{
			{broker.Select{}, numbers(n)},
			{broker.Select{Limit: 500}, numbers(500)},
			{broker.Select{After: 100}, numbers(n)[100:]},
			{broker.Select{After: 100, Before: 501, Limit: 300}, numbers(n)[100:400]},
			{broker.Select{ID: 300}, []string{"299"}},
			{broker.Select{ID: n + 1}, nil},
		} {
			var got []broker.Message
			for m, err := range b.Queue(shown).Messages(t.Context(), tt.sel) {
				must(t, err)
				got = append(got, m)
			}
			if diff := cmp.Diff(tt.want, bodies(got)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", tt.sel, diff)
			}
		}
		if st, err := b.Queue(shown).Stats(t.Context()); err != nil || st.Pending != n || st.Newest != n {
			t.Errorf("stats %+v, %v", st, err)
		}
	}},
	{"are seen inside a transaction, with its changes", func(t *testing.T, s *store) {
		s.tasks(t, 2)
		b := s.viewing(t)
		must(t, b.Update(t.Context(), func(tx *broker.Tx) error {
			if err := tx.PutRecord(broker.Record{Kind: "task", Key: "new", Rank: 9, Body: "new"}); err != nil {
				return err
			}
			ms, err := tx.Messages(shown, broker.Select{After: 1})
			if diff := cmp.Diff([]string{"1", "new"}, bodies(ms)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if err != nil {
				return err
			}
			var scanned []string
			err = tx.Scan(shown, broker.Select{}, func(m broker.Message) bool {
				scanned = append(scanned, m.Body)
				return len(scanned) < 2
			})
			if diff := cmp.Diff([]string{"0", "1"}, scanned); diff != "" {
				t.Errorf("scanned (-want +got):\n%s", diff)
			}
			return err
		}))
	}},
	{"are watched", func(t *testing.T, s *store) {
		b := s.viewing(t)
		ctx := newWitness(t.Context())
		got := make(chan broker.Message, 3)
		ended := start(func() error {
			for m, err := range b.Queue(shown).Watch(ctx, broker.WatchOptions{Peek: true, Limit: 3}) {
				if err != nil {
					return err
				}
				got <- m
			}
			return nil
		})
		soon(t, "waiting", ctx.asked)
		waited := start(func() error { return b.Queue(shown).Wait(t.Context()) })
		for i := range 3 {
			rec := broker.Record{Kind: "task", Key: fmt.Sprint(i), Rank: int64(i + 1), Body: fmt.Sprint(i)}
			s.update(t, func(tx *broker.Tx) error { tx.Notify(shown); return tx.PutRecord(rec) })
			if m := soon(t, "what the view shows", got); m.Body != rec.Body {
				t.Errorf("watched %+v, want %q", m, rec.Body)
			}
		}
		must(t, soon(t, "the end of the watch", ended).err)
		must(t, soon(t, "the end of the wait", waited).err)
	}},
	{"are not among the queues", func(t *testing.T, s *store) {
		// Not even with what an earlier program has stored under the name.
		s.tasks(t, 1)
		s.write(t, shown, "stored")
		s.write(t, "state", "x")
		s.write(t, "zone", "x")
		b := s.viewing(t)
		var names []string
		for name, err := range b.Queues(broker.Pattern{}).Names(t.Context()) {
			must(t, err)
			names = append(names, name)
		}
		reached, err := b.Queues(broker.Pattern{}).Broadcast(t.Context(), "y")
		must(t, err)
		for what, got := range map[string][]string{"listed": names, "reached": reached} {
			if want := []string{"state", "zone"}; !slices.Equal(got, want) {
				t.Errorf("%s %q, want %q", what, got, want)
			}
		}
		if n, err := b.Queues(broker.Pattern{}).Delete(t.Context()); err != nil || n != 4 {
			t.Errorf("deleted %d, %v, want 4", n, err)
		}
		s.holds(t, shown, "stored")
		if m, err := b.Queue(shown).Peek(t.Context()); err != nil || m.Body != "0" {
			t.Errorf("the view shows %+v, %v", m, err)
		}
	}},
	{"that fail", func(t *testing.T, s *store) {
		b := s.handleWith(t, broker.Options{Views: func(queue string) broker.ViewFunc {
			return func(broker.Reader, broker.Select) ([]broker.Message, error) { return nil, errRefused }
		}})
		defer b.Close()
		q := b.Queue("q")
		for range 10 { // more often than there could be connections
			_, err := q.Peek(t.Context())
			wants(t, "peek", err, errRefused)
		}
		_, err := q.Stats(t.Context())
		wants(t, "stats", err, errRefused)
		wants(t, "messages", last(q.Messages(t.Context(), broker.Select{})), errRefused)
		wants(t, "watch", last(q.Watch(t.Context(), broker.WatchOptions{Peek: true})), errRefused)
		wants(t, "wait", q.Wait(t.Context()), errRefused)
		err = b.Update(context.Background(), func(tx *broker.Tx) error {
			_, err := tx.Messages("q", broker.Select{})
			return err
		})
		wants(t, "messages in a transaction", err, errRefused)
	}},
}
