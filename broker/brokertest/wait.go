package brokertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weft/broker"
)

var waitCases = []testCase{
	{"a ring wakes who listened before", func(t *testing.T, s *store) {
		// C, not Wait: the slow look must have no part in it.
		other := s.handle(t)
		defer other.Close()
		s.write(t, "source", numbers(10)...)
		for _, ring := range []struct {
			what string
			do   func(b *broker.Broker) error
		}{
			{"write", func(b *broker.Broker) error { _, err := b.Queue("q").Write(t.Context(), "x"); return err }},
			{"write all", func(b *broker.Broker) error { _, err := b.Queue("q").WriteAll(t.Context(), []string{"x"}); return err }},
			{"move", func(b *broker.Broker) error { _, err := b.Queue("source").Move(t.Context(), "q"); return err }},
			{"move all", func(b *broker.Broker) error {
				_, err := b.Queue("source").MoveAll(t.Context(), "q", broker.Select{Limit: 1})
				return err
			}},
			{"reserve", func(b *broker.Broker) error { _, err := b.Queue("source").Reserve("q").Next(t.Context()); return err }},
			{"move all in a transaction", func(b *broker.Broker) error {
				return b.Update(t.Context(), func(tx *broker.Tx) error {
					_, err := tx.MoveAll("source", "q", broker.Select{Limit: 1})
					return err
				})
			}},
			{"write in a transaction", func(b *broker.Broker) error {
				return b.Update(t.Context(), func(tx *broker.Tx) error { _, err := tx.Write("q", "x"); return err })
			}},
			{"move in a transaction", func(b *broker.Broker) error {
				return b.Update(t.Context(), func(tx *broker.Tx) error {
					_, err := tx.Move("source", "q", broker.Select{Limit: 1})
					return err
				})
			}},
			{"ring without a message", func(b *broker.Broker) error {
				return b.Update(t.Context(), func(tx *broker.Tx) error { tx.Notify("q"); return nil })
			}},
		} {
			for where, b := range map[string]*broker.Broker{"its own process": s.Broker, "another": other} {
				w, err := s.Listen("q")
				must(t, err)
				must(t, ring.do(b))
				soon(t, "the ring of a "+ring.what+" in "+where, w.C())
				w.Close()
			}
		}
	}},
	{"who is woken finds what was written", func(t *testing.T, s *store) {
		other := s.handle(t)
		defer other.Close()
		ctx := t.Context()
		one := broker.Select{Limit: 1}
		large := strings.Repeat("x", 1<<20) // it takes a moment to commit
		for what, write := range map[string]func() error{
			"write":     func() error { _, err := other.Queue("q").Write(ctx, large); return err },
			"write all": func() error { _, err := other.Queue("q").WriteAll(ctx, []string{large}); return err },
			"move":      func() error { _, err := other.Queue("source").Move(ctx, "q"); return err },
			"move all":  func() error { _, err := other.Queue("source").MoveAll(ctx, "q", one); return err },
			"reserve":   func() error { _, err := other.Queue("source").Reserve("q").Next(ctx); return err },
			"update": func() error {
				return other.Update(ctx, func(tx *broker.Tx) error { _, err := tx.Write("q", large); return err })
			},
		} {
			for range 20 {
				s.write(t, "source", large)
				w, err := s.Listen("q")
				must(t, err)
				wrote := make(chan error, 1)
				go func() { wrote <- write() }()
				// Who looks too early is not woken again: C has no slow look.
				for err = broker.ErrEmpty; errors.Is(err, broker.ErrEmpty); {
					soon(t, "a ring after the commit of a "+what, w.C())
					_, err = s.Queue("q").Peek(ctx)
				}
				must(t, err)
				must(t, <-wrote)
				w.Close()
				for _, queue := range []string{"q", "source"} {
					_, err = s.Queue(queue).Delete(ctx, broker.Select{})
					must(t, err)
				}
			}
		}
	}},
	{"one transaction rings all its queues", func(t *testing.T, s *store) {
		names := []string{"a", "b", "c", "d"}
		var waiters []*broker.Waiter
		for _, name := range names {
			w, err := s.Listen(name)
			must(t, err)
			defer w.Close()
			waiters = append(waiters, w)
		}
		s.write(t, "source", "moved")
		s.update(t, func(tx *broker.Tx) error {
			for _, name := range names[:2] {
				if _, err := tx.Write(name, "x"); err != nil {
					return err
				}
			}
			tx.Notify(names[2])
			_, err := tx.Move("source", names[3], broker.Select{})
			return err
		})
		for i, w := range waiters {
			soon(t, "the ring of "+names[i], w.C())
		}
	}},
	{"add and remove", func(t *testing.T, s *store) {
		w, err := s.Listen()
		must(t, err)
		defer w.Close()
		must(t, w.Add("a", "b"))
		s.write(t, "b", "x")
		soon(t, "the ring of b", w.C())
		w.Remove("b", "never there")
		s.write(t, "a", "x")
		soon(t, "the ring of a", w.C())
		must(t, w.Add("c"))
		s.write(t, "c", "x")
		soon(t, "the ring of c", w.C())
	}},
	{"a ring is kept for who looks later", func(t *testing.T, s *store) {
		w, err := s.Listen("q")
		must(t, err)
		defer w.Close()
		s.write(t, "q", "1", "2", "3")
		must(t, w.Wait(t.Context()))
		s.holds(t, "q", "1", "2", "3")
	}},
	{"waiter ends with its context", func(t *testing.T, s *store) {
		w, err := s.Listen("q")
		must(t, err)
		defer w.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := newWitness(ctx)
		c := start(func() error { return w.Wait(waiting) })
		soon(t, "waiting", waiting.asked)
		cancel(errGaveUp)
		wants(t, "wait", soon(t, "the end of the wait", c).err, errGaveUp)
	}},
	{"queue that holds a message", func(t *testing.T, s *store) {
		s.write(t, "q", "x")
		must(t, s.Queue("q").Wait(t.Context()))
		s.holds(t, "q", "x")
	}},
	{"queue that gets one", func(t *testing.T, s *store) {
		ctx := newWitness(t.Context())
		c := start(func() error { return s.Queue("q").Wait(ctx) })
		soon(t, "waiting", ctx.asked)
		s.write(t, "q", "x")
		must(t, soon(t, "the end of the wait", c).err)
	}},
	{"queue that gets none", func(t *testing.T, s *store) {
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := newWitness(ctx)
		c := start(func() error { return s.Queue("q").Wait(waiting) })
		soon(t, "waiting", waiting.asked)
		s.write(t, "other", "x")
		cancel(errGaveUp)
		wants(t, "wait", soon(t, "the end of the wait", c).err, errGaveUp)
	}},
}
