package brokertest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"weft/broker"
)

var closeCases = []testCase{
	{"what was written is there afterwards", func(t *testing.T, s *store) {
		written := s.write(t, "q", "a", "b", "c")
		_, err := s.Queue("q").Move(t.Context(), "r")
		must(t, err)
		_, err = s.Queue("q").Read(t.Context())
		must(t, err)
		s.put(t, broker.Record{Kind: "task", Key: "t", State: "new", Rank: 3, Body: "b"})
		for range 3 {
			before := s.state(t)
			s.reopen(t)
			s.holds(t, "q", "c")
			s.holds(t, "r", "a")
			if id := s.write(t, "s", "x")[0]; id <= written[2] {
				t.Errorf("id %v after %v", id, written[2])
			}
			if len(before.Records["task"]) != 1 {
				t.Errorf("records %+v", before.Records)
			}
		}
	}},
	{"everything after it", func(t *testing.T, s *store) {
		ctx := t.Context()
		b := s.handle(t)
		must(t, b.Close())
		calls := everyCall(t, ctx, b)
		calls["listen"] = func() error { _, err := b.Listen("q"); return err }
		for what, call := range calls {
			got := soon(t, "the end of a "+what, start(call))
			wants(t, what, got.err, broker.ErrClosed)
		}
	}},
	{"twice, and at the same time", func(t *testing.T, s *store) {
		b := s.handle(t)
		_, err := b.Queue("q").Write(t.Context(), "x")
		must(t, err)
		for range 2 {
			cs := []<-chan outcome{start(b.Close), start(b.Close), start(b.Close)}
			for _, c := range cs {
				if got := soon(t, "the end of close", c); got != (outcome{}) {
					t.Errorf("close ended with %+v", got)
				}
			}
		}
	}},
	{"leaves other handles alone", func(t *testing.T, s *store) {
		b := s.handle(t)
		must(t, b.Close())
		s.write(t, "q", "x")
		s.holds(t, "q", "x")
	}},
	{"awaits what runs, refuses what waits", func(t *testing.T, s *store) {
		b := s.handle(t)
		on := &store{Broker: b, backend: s.backend, dir: s.dir, clock: s.clock}
		var ended atomic.Bool
		release := on.hold(t, func(tx *broker.Tx) error {
			_, err := tx.Write("q", "ran")
			ended.Store(true)
			return err
		})
		waiting := queue(t, on.writing("q", "waited", succeed), on.writing("q", "waited", succeed))
		closed := start(func() error {
			err := b.Close()
			if !ended.Load() {
				err = errors.Join(err, errors.New("close returned while a transaction ran"))
			}
			return err
		})
		for _, c := range waiting {
			wants(t, "update that waited", soon(t, "its end", c).err, broker.ErrClosed)
		}
		if got := release(); got != (outcome{}) {
			t.Errorf("the transaction that ran ended with %+v", got)
		}
		if got := soon(t, "the end of close", closed); got != (outcome{}) {
			t.Errorf("close ended with %+v", got)
		}
		s.holds(t, "q", "ran")
	}},
	{"ends those who wait for messages", func(t *testing.T, s *store) {
		b := s.handle(t)
		var ends []<-chan outcome
		for _, call := range []func(context.Context) error{
			func(ctx context.Context) error { return b.Queue("q").Wait(ctx) },
			func(ctx context.Context) error { return last(b.Queue("q").Watch(ctx, broker.WatchOptions{})) },
			func(ctx context.Context) error {
				return last(b.Queue("q").Watch(ctx, broker.WatchOptions{Peek: true}))
			},
		} {
			ctx := newWitness(t.Context())
			ends = append(ends, start(func() error { return call(ctx) }))
			soon(t, "waiting", ctx.asked)
		}
		must(t, b.Close())
		for _, c := range ends {
			wants(t, "wait", soon(t, "its end", c).err, broker.ErrClosed)
		}
	}},
}
