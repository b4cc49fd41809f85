package brokertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var broadcastCases = []testCase{
	{"each queue that matches gets one", func(t *testing.T, s *store) {
		for _, q := range []string{"a.1", "a.2", "b"} {
			s.write(t, q, "old")
		}
		reached, err := s.Queues(glob("a.*")).Broadcast(t.Context(), "new")
		must(t, err)
		if diff := cmp.Diff([]string{"a.1", "a.2"}, reached); diff != "" {
			t.Errorf("reached (-want +got):\n%s", diff)
		}
		s.holds(t, "a.1", "old", "new")
		s.holds(t, "a.2", "old", "new")
		s.holds(t, "b", "old")
	}},
	{"none", func(t *testing.T, s *store) {
		s.write(t, "q", "x")
		_, err := s.Queue("q").Read(t.Context())
		must(t, err)
		before, err := s.Info(t.Context())
		must(t, err)
		reached, err := s.Queues(broker.Pattern{}).Broadcast(t.Context(), "x")
		if err != nil || len(reached) > 0 {
			t.Errorf("reached %q, %v", reached, err)
		}
		after, err := s.Info(t.Context())
		if err != nil || after.LastID != before.LastID {
			t.Errorf("last id was %v and is %v, %v", before.LastID, after.LastID, err)
		}
		s.lists(t)
	}},
	{"bad body", func(t *testing.T, s *store) {
		s.write(t, "q", "x")
		_, err := s.Queues(broker.Pattern{}).Broadcast(t.Context(), "\xff")
		wants(t, "broadcast", err, broker.ErrBody)
		_, err = s.Queues(broker.Pattern{}).Broadcast(t.Context(), strings.Repeat("x", broker.MaxMessageBytes+1))
		wants(t, "broadcast", err, broker.ErrTooLarge)
		s.holds(t, "q", "x")
	}},
	{"wakes who waits for any of them", func(t *testing.T, s *store) {
		names := []string{"a", "b", "c"}
		var waiters []*broker.Waiter
		for _, name := range names {
			s.write(t, name, "x")
			w, err := s.Listen(name)
			must(t, err)
			defer w.Close()
			waiters = append(waiters, w)
		}
		other := s.handle(t)
		defer other.Close()
		_, err := other.Queues(broker.Pattern{}).Broadcast(t.Context(), "y")
		must(t, err)
		for i, w := range waiters {
			soon(t, "the ring of "+names[i], w.C())
		}
	}},
	{"is seen at once or not at all", func(t *testing.T, s *store) {
		const queues, rounds = 20, 15
		for i := range queues {
			s.write(t, fmt.Sprint("q", i), "x")
		}
		other := s.handle(t)
		defer other.Close()
		ended := start(func() error {
			for range rounds {
				if _, err := other.Queues(broker.Pattern{}).Broadcast(t.Context(), "y"); err != nil {
					return err
				}
			}
			return nil
		})
		for looking := true; looking; {
			select {
			case got := <-ended:
				must(t, got.err)
				looking = false
			default:
			}
			counts := map[int]bool{}
			for _, st := range s.state(t).Stats {
				counts[st.Pending] = true
			}
			if len(counts) != 1 {
				t.Fatalf("a broadcast has reached some queues and not others: counts %v", counts)
			}
		}
	}},
	{"queues that empty at the same time", func(t *testing.T, s *store) {
		// A queue gets the message if it exists when the transaction begins; it
		// must not come back to life afterwards.
		for i := range 30 {
			s.write(t, fmt.Sprint("q", i), "x")
		}
		other := s.handle(t)
		defer other.Close()
		drained := start(func() error {
			for i := range 30 {
				if _, err := other.Queue(fmt.Sprint("q", i)).Read(t.Context()); err != nil {
					return err
				}
			}
			return nil
		})
		reached, err := s.Queues(broker.Pattern{}).Broadcast(t.Context(), "y")
		must(t, err)
		must(t, soon(t, "the end of the reader", drained).err)
		slices.Sort(reached)
		s.lists(t, reached...)
	}},
	{"delete", func(t *testing.T, s *store) {
		for _, q := range []string{"a.1", "a.2", "b"} {
			s.write(t, q, "x", "y")
		}
		n, err := s.Queues(glob("a.*")).Delete(t.Context())
		if err != nil || n != 4 {
			t.Errorf("deleted %d, %v, want 4", n, err)
		}
		s.lists(t, "b")
		n, err = s.Queues(broker.Pattern{}).Delete(t.Context())
		if err != nil || n != 2 {
			t.Errorf("deleted %d, %v, want 2", n, err)
		}
		n, err = s.Queues(broker.Pattern{}).Delete(t.Context())
		if err != nil || n != 0 {
			t.Errorf("deleted %d of an empty store, %v", n, err)
		}
	}},
}
