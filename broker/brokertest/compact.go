package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var compactCases = []testCase{
	{"changes nothing", func(t *testing.T, s *store) {
		s.fill(t, "q", 300)
		s.write(t, "large", strings.Repeat("x", 1<<20))
		s.tasks(t, 50)
		s.alias(t, "a", "q")
		_, err := s.Queue("q").Delete(t.Context(), broker.Select{Limit: 250})
		must(t, err)
		before := s.state(t)
		for range 2 {
			must(t, s.Compact(t.Context()))
			if diff := cmp.Diff(before, s.state(t)); diff != "" {
				t.Errorf("state (-before +after):\n%s", diff)
			}
		}
		s.aliased(t, broker.Alias{Name: "a", Queue: "q"})
		s.write(t, "q", "then write")
	}},
	{"gives room back", func(t *testing.T, s *store) {
		s.write(t, "q", strings.Repeat("x", 8<<20))
		_, err := s.Queue("q").Delete(t.Context(), broker.Select{})
		must(t, err)
		must(t, s.Compact(t.Context()))
		info, err := s.Info(t.Context())
		must(t, err)
		if used := info.Bytes + info.Log; used > 1<<20 {
			t.Errorf("an empty store has %d bytes: %+v", used, info)
		}
	}},
	{"while others work", func(t *testing.T, s *store) {
		other := s.handle(t)
		defer other.Close()
		const writers, each = 4, 25
		var ends []<-chan outcome
		for w := range writers {
			b := []*broker.Broker{s.Broker, other}[w%2]
			ends = append(ends, start(func() error {
				for i := range each {
					if _, err := produce(b, fmt.Sprintf("%d %d", w, i), i%3); err != nil {
						return err
					}
					if _, err := b.Queue("q").Move(context.Background(), "r"); err != nil && !errors.Is(err, broker.ErrEmpty) {
						return err
					}
				}
				return nil
			}))
		}
		for range 5 {
			must(t, s.Compact(t.Context()))
			must(t, other.Compact(t.Context()))
		}
		for _, c := range ends {
			if got := soon(t, "the end of a writer", c); got != (outcome{}) {
				t.Errorf("a writer ended with %+v", got)
			}
		}
		if n := len(s.state(t).ids()); n != writers*each {
			t.Errorf("there are %d messages, want %d", n, writers*each)
		}
	}},
	{"waits for the transaction that runs", func(t *testing.T, s *store) {
		release := s.hold(t, func(tx *broker.Tx) error { _, err := tx.Write("q", "x"); return err })
		ctx, cancel := context.WithCancelCause(t.Context())
		cancelled := newWitness(ctx)
		withdrawn := start(func() error { return s.Compact(cancelled) })
		soon(t, "waiting", cancelled.asked)
		cancel(errGaveUp)
		wants(t, "compact", soon(t, "its end", withdrawn).err, errGaveUp)
		patient := newWitness(t.Context())
		compacted := start(func() error { return s.Compact(patient) })
		soon(t, "waiting", patient.asked)
		if got := release(); got != (outcome{}) {
			t.Errorf("the transaction ended with %+v", got)
		}
		if got := soon(t, "the end of compact", compacted); got != (outcome{}) {
			t.Errorf("compact ended with %+v", got)
		}
		s.holds(t, "q", "x")
	}},
}
