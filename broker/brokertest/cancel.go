package brokertest

import (
	"context"
	"errors"
	"testing"

	"weft/broker"
)

// errGaveUp is why the callers of these cases cancel.
var errGaveUp = errors.New("gave up")

var cancelCases = []testCase{
	{"before the call", func(t *testing.T, s *store) {
		s.write(t, "q", "a", "b")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errGaveUp)
		for what, call := range everyCall(t, ctx, s.Broker) {
			wants(t, what, call(), errGaveUp)
		}
		s.holds(t, "q", "a", "b")
	}},
	{"while it waits", func(t *testing.T, s *store) {
		s.write(t, "q", "a", "b")
		release := s.hold(t, func(tx *broker.Tx) error { _, err := tx.Write("q", "c"); return err })
		ctx, cancel := context.WithCancelCause(t.Context())
		wait := func(call func(context.Context) error) <-chan outcome {
			w := newWitness(ctx)
			c := start(func() error { return call(w) })
			soon(t, "waiting for the transaction that is held", w.asked)
			return c
		}
		calls := map[string]<-chan outcome{
			"update": wait(func(ctx context.Context) error {
				return s.Update(ctx, func(*broker.Tx) error { t.Error("a transaction ran that was withdrawn"); return nil })
			}),
			"write":  wait(func(ctx context.Context) error { _, err := s.Queue("q").Write(ctx, "never"); return err }),
			"read":   wait(func(ctx context.Context) error { _, err := s.Queue("q").Read(ctx); return err }),
			"move":   wait(func(ctx context.Context) error { _, err := s.Queue("q").Move(ctx, "r"); return err }),
			"delete": wait(func(ctx context.Context) error { _, err := s.Queue("q").Delete(ctx, broker.Select{}); return err }),
		}
		stays := queue(t, s.writing("q", "d", succeed))
		cancel(errGaveUp)
		// They return although the transaction before them is still held.
		for what, c := range calls {
			wants(t, what, soon(t, "the return of "+what, c).err, errGaveUp)
		}
		if got := release(); got != (outcome{}) {
			t.Errorf("the transaction that ran meanwhile ended with %+v", got)
		}
		if got := soon(t, "the end of the one that stayed", stays[0]); got != (outcome{}) {
			t.Errorf("the transaction that stayed ended with %+v", got)
		}
		s.holds(t, "q", "a", "b", "c", "d")
	}},
	{"after it has begun", func(t *testing.T, s *store) {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Update(ctx, func(tx *broker.Tx) error {
			if _, err := tx.Write("q", "a"); err != nil {
				return err
			}
			cancel()
			_, err := tx.Write("q", "b")
			return err
		})
		must(t, err)
		s.holds(t, "q", "a", "b")
	}},
	{"one of a group after it has begun", func(t *testing.T, s *store) {
		release := s.hold(t, func(*broker.Tx) error { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		waiting := queue(t, s.writing("q", "a", succeed))
		w := newWitness(ctx)
		waiting = append(waiting, start(func() error {
			return s.Update(w, func(tx *broker.Tx) error {
				cancel()
				_, err := tx.Write("q", "b")
				return err
			})
		}))
		soon(t, "waiting for the transaction that is held", w.asked)
		waiting = append(waiting, queue(t, s.writing("q", "c", succeed))...)
		release()
		for i, c := range waiting {
			if got := soon(t, "the end of a transaction", c); got != (outcome{}) {
				t.Errorf("transaction %d ended with %+v", i, got)
			}
		}
		s.drains(t, "q", "a", "b", "c")
	}},
	{"during a view", func(t *testing.T, s *store) {
		s.write(t, "q", "a")
		ctx, cancel := context.WithCancel(t.Context())
		must(t, s.View(ctx, func(r broker.Reader) error {
			cancel()
			ms, err := r.Messages("q", broker.Select{})
			if len(ms) != 1 {
				t.Errorf("saw %v", ms)
			}
			return err
		}))
	}},
	{"then go on", func(t *testing.T, s *store) {
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			c := start(func() error { return s.writing("q", "maybe", succeed)(ctx) })
			cancel()
			if got := soon(t, "the end of a transaction", c); got.err != nil && !errors.Is(got.err, context.Canceled) {
				t.Errorf("transaction ended with %+v", got)
			}
			s.write(t, "r", "always")
		}
		if n := len(s.messages(t, "r")); n != 50 {
			t.Errorf("%d of 50 writes are there", n)
		}
	}},
}
