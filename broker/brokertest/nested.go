package brokertest

import (
	"context"
	"testing"

	"weft/broker"
)

// nestedCalls calls the broker in all ways that would wait for the transaction
// from inside which they are made.
func (s *store) nestedCalls(t *testing.T) {
	t.Helper()
	calls := everyCall(t, context.Background(), s.Broker)
	calls["close"] = s.Close
	if !s.Broker.Nested() {
		t.Error("not nested inside a transaction")
	}
	for what, call := range calls {
		wants(t, "nested "+what, call(), broker.ErrNested)
	}
}

var nestedCases = []testCase{
	{"in a transaction", func(t *testing.T, s *store) {
		s.update(t, func(tx *broker.Tx) error {
			if _, err := tx.Write("q", "a"); err != nil {
				return err
			}
			s.nestedCalls(t)
			_, err := tx.Write("q", "b")
			return err
		})
		s.holds(t, "q", "a", "b") // and no harm was done
	}},
	{"in one of a group", func(t *testing.T, s *store) {
		release := s.hold(t, func(*broker.Tx) error { s.nestedCalls(t); return nil })
		nested := s.writing("q", "x", func() error { s.nestedCalls(t); return nil })
		waiting := queue(t, nested, s.writing("q", "x", succeed), nested)
		release()
		for i, c := range waiting {
			if got := soon(t, "the end of a transaction", c); got != (outcome{}) {
				t.Errorf("transaction %d ended with %+v", i, got)
			}
		}
		s.drains(t, "q", "x", "x", "x")
	}},
	{"its error fails the transaction", func(t *testing.T, s *store) {
		err := s.Update(t.Context(), func(tx *broker.Tx) error {
			if _, err := tx.Write("q", "never"); err != nil {
				return err
			}
			_, err := s.Queue("q").Write(t.Context(), "never")
			return err
		})
		wants(t, "update", err, broker.ErrNested)
		s.holds(t, "q")
	}},
	{"another goroutine is not nested", func(t *testing.T, s *store) {
		s.update(t, func(*broker.Tx) error {
			elsewhere := make(chan bool)
			go func() { elsewhere <- s.Broker.Nested() }()
			if <-elsewhere || !s.Broker.Nested() {
				t.Error("nested is not this goroutine, or another one is as well")
			}
			return nil
		})
		if s.Broker.Nested() {
			t.Error("nested after a transaction")
		}
		var waiting []<-chan outcome
		s.update(t, func(*broker.Tx) error {
			if waiting == nil {
				waiting = queue(t, s.writing("q", "x", succeed))
			}
			return nil
		})
		if got := soon(t, "the end of a transaction", waiting[0]); got != (outcome{}) {
			t.Errorf("transaction ended with %+v", got)
		}
		s.holds(t, "q", "x")
	}},
}
