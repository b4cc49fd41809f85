package brokertest

import (
	"context"
	"strings"
	"testing"

	"weft/broker"
)

// badNames cannot name a queue.
var badNames = []string{
	"", " ", "a b", ".a", "-a", "a/b", `a\b`, "a\n", "\na", "a\x00", "jobs\r", "grün", "٣", "a*", "@a", "a:b", "\xff",
	strings.Repeat("x", broker.MaxNameBytes+1),
}

var nameCases = []testCase{
	{"good", func(t *testing.T, s *store) {
		for _, name := range []string{"a", "Z", "0", "_", "_._-", "a.b-c_d", "T1234567890123456789.inbox",
			strings.Repeat("x", broker.MaxNameBytes)} {
			s.write(t, name, "in "+name)
			s.holds(t, name, "in "+name)
		}
	}},
	{"different in case only", func(t *testing.T, s *store) {
		s.write(t, "Jobs", "upper")
		s.write(t, "jobs", "lower")
		s.holds(t, "Jobs", "upper")
		s.holds(t, "jobs", "lower")
	}},
	{"prefix of another", func(t *testing.T, s *store) {
		s.write(t, "a", "a")
		s.write(t, "a.b", "a.b")
		s.write(t, "a_b", "a_b")
		_, err := s.Queue("a").Delete(context.Background(), broker.Select{})
		must(t, err)
		s.holds(t, "a.b", "a.b")
		s.holds(t, "a_b", "a_b")
	}},
	{"bad, queue", func(t *testing.T, s *store) {
		ctx := t.Context()
		for _, name := range badNames {
			q := s.Queue(name)
			calls := everyChange(ctx, s.Broker, name)
			calls["peek"] = func() error { _, err := q.Peek(ctx); return err }
			calls["messages"] = func() error { return last(q.Messages(ctx, broker.Select{})) }
			calls["stats"] = func() error { _, err := q.Stats(ctx); return err }
			calls["wait"] = func() error { return q.Wait(ctx) }
			calls["peeking watch"] = func() error { return last(q.Watch(ctx, broker.WatchOptions{Peek: true})) }
			calls["add an alias of this name"] = func() error { return s.Aliases().Add(ctx, name, "x") }
			for what, call := range calls {
				wants(t, what+" "+name, call(), broker.ErrName)
			}
			if name != "" { // an empty MoveTo means that nothing is moved
				wants(t, "watch to "+name, last(s.Queue("x").Watch(ctx, broker.WatchOptions{MoveTo: name})), broker.ErrName)
			}
		}
	}},
	{"bad, transaction", func(t *testing.T, s *store) {
		for _, name := range badNames {
			s.update(t, func(tx *broker.Tx) error {
				calls := everyChangeIn(tx, name)
				calls["messages"] = func() error { _, err := tx.Messages(name, broker.Select{}); return err }
				calls["scan"] = func() error { return tx.Scan(name, broker.Select{}, nil) }
				for what, call := range calls {
					wants(t, what+" "+name, call(), broker.ErrName)
				}
				return nil
			})
		}
	}},
}

// last exhausts an iteration and returns its last error.
func last[T any](seq func(func(T, error) bool)) (err error) {
	for _, e := range seq {
		err = e
	}
	return err
}
