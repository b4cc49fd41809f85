package brokertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"weft/broker"
)

// A state is all that a store holds, as the API shows it.
type state struct {
	Queues  []string
	Stats   []broker.Stats
	Held    map[string][]broker.Message
	Records map[string][]broker.Record
}

// kinds are the kinds of records that the cases use.
var kinds = []string{"manager", "task"}

// state reads everything, and fails if it contradicts itself.
func (s *store) state(t testing.TB) state {
	t.Helper()
	st, err := read(s.Broker)
	must(t, err)
	for _, problem := range st.contradictions() {
		t.Error(problem)
	}
	return st
}

// read reads everything in one transaction.
func read(b *broker.Broker) (st state, err error) {
	err = b.View(context.Background(), func(r broker.Reader) (err error) {
		st = state{Held: map[string][]broker.Message{}, Records: map[string][]broker.Record{}}
		if st.Queues, err = r.Queues("", 1<<20); err != nil {
			return err
		}
		for _, q := range st.Queues {
			stats, err := r.Stats(q)
			if err != nil {
				return err
			}
			st.Stats = append(st.Stats, stats)
			if st.Held[q], err = r.Messages(q, broker.Select{}); err != nil {
				return err
			}
		}
		for _, kind := range kinds {
			rs, err := r.Records(kind, broker.RecordSelect{})
			if err != nil {
				return err
			}
			if len(rs) > 0 {
				st.Records[kind] = rs
			}
		}
		return nil
	})
	return st, err
}

// contradictions says what cannot be true of a store.
func (st state) contradictions() (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !rising(st.Queues) {
		wrong("queues are not in order, or listed twice: %q", st.Queues)
	}
	where := map[broker.ID]string{}
	for i, q := range st.Queues {
		ms := st.Held[q]
		if len(ms) == 0 {
			wrong("queue %s is listed and empty", q)
			continue
		}
		if !rising(ids(ms)) {
			wrong("queue %s: ids do not rise: %v", q, ids(ms))
		}
		want := broker.Stats{Queue: q, Pending: len(ms), Oldest: ms[0].ID, Newest: ms[len(ms)-1].ID}
		if st.Stats[i] != want {
			wrong("stats %+v, the messages say %+v", st.Stats[i], want)
		}
		for _, m := range ms {
			if m.Queue != q {
				wrong("queue %s lists message %v of %s", q, m.ID, m.Queue)
			}
			if m.ID <= 0 {
				wrong("queue %s: id %v", q, m.ID)
			}
			if other, ok := where[m.ID]; ok {
				wrong("message %v is in %s and in %s", m.ID, other, q)
			}
			where[m.ID] = q
		}
	}
	for kind, rs := range st.Records {
		keys := map[string]bool{}
		for _, r := range rs {
			if r.Kind != kind || keys[r.Key] {
				wrong("records of %s: %s %q is of another kind or listed twice", kind, r.Kind, r.Key)
			}
			keys[r.Key] = true
		}
	}
	return problems
}

// ids are the ids of all messages.
func (st state) ids() (all []broker.ID) {
	for _, ms := range st.Held {
		all = append(all, ids(ms)...)
	}
	return all
}

// rising reports whether each value is greater than the one before.
func rising[T ~int64 | ~string](vs []T) bool {
	return slices.IsSorted(vs) && len(slices.Compact(slices.Clone(vs))) == len(vs)
}
