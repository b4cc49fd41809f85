package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

// zero is a backoff that gives failed messages back at once.
func zero(int) time.Duration { return 0 }

var workCases = []testCase{
	{"several at once, until none is due", func(t *testing.T, s *store) {
		s.write(t, "jobs", numbers(10)...)
		var mu sync.Mutex
		var done []string
		var together sync.WaitGroup // the first three are there at once
		together.Add(3)
		calls := 0
		must(t, s.Queue("jobs").Work(t.Context(), broker.WorkOptions{
			Workers: 3, ReceiveOptions: broker.ReceiveOptions{NoWait: true, Lease: time.Hour},
		}, func(_ context.Context, l *broker.Lease) error {
			mu.Lock()
			done = append(done, l.Body)
			calls++
			first := calls <= 3
			mu.Unlock()
			if first {
				together.Done()
				together.Wait()
			}
			return nil
		}))
		slices.Sort(done)
		if want := slices.Sorted(slices.Values(numbers(10))); !slices.Equal(done, want) {
			t.Errorf("worked on %q", done)
		}
		s.noLeases(t)
	}},
	{"what fails is tried again and put aside", func(t *testing.T, s *store) {
		s.write(t, "jobs", "bad", "a", "b")
		bad := errors.New("bad")
		var done, failed []string
		must(t, s.Queue("jobs").Work(t.Context(), broker.WorkOptions{
			ReceiveOptions: broker.ReceiveOptions{NoWait: true, MaxReceives: 2, Lease: time.Hour},
			Backoff:        zero,
			Failed: func(l *broker.Lease, err error) {
				wants(t, "work", err, bad)
				failed = append(failed, fmt.Sprintf("%s %d", l.Body, l.Receives))
			},
		}, func(_ context.Context, l *broker.Lease) error {
			s.pass(time.Second)
			if l.Body == "bad" {
				return bad
			}
			done = append(done, l.Body)
			return nil
		}))
		if !slices.Equal(done, []string{"a", "b"}) || !slices.Equal(failed, []string{"bad 1", "bad 2"}) {
			t.Errorf("done %q, failed %q", done, failed)
		}
		s.holds(t, "jobs.dead", "bad")
		s.noLeases(t)
	}},
	{"keeps the lease of long work", func(t *testing.T, s *store) {
		const lease = 30 * time.Millisecond
		s.write(t, "jobs", "a")
		must(t, s.Queue("jobs").Work(t.Context(), broker.WorkOptions{ReceiveOptions: broker.ReceiveOptions{NoWait: true, Lease: lease}},
			func(context.Context, *broker.Lease) error {
				for range 3 {
					s.pass(lease / 2)
					waittest.Until(t, "the lease to be extended", func() bool {
						rs, err := s.Records(context.Background(), "lease", broker.RecordSelect{})
						must(t, err)
						return rs[0].Rank == s.clock.Now().Add(lease).UnixNano()
					})
				}
				return nil
			}))
		s.noLeases(t)
	}},
	{"ends what works on a lease that is lost", func(t *testing.T, s *store) {
		const lease = 30 * time.Millisecond
		s.write(t, "jobs", "a")
		var failed error
		var thief *broker.Lease
		must(t, s.Queue("jobs").Work(t.Context(), broker.WorkOptions{
			ReceiveOptions: broker.ReceiveOptions{NoWait: true, Lease: lease},
			Failed:         func(_ *broker.Lease, err error) { failed = err },
		}, func(ctx context.Context, _ *broker.Lease) error {
			for err := broker.ErrEmpty; errors.Is(err, broker.ErrEmpty); {
				s.pass(lease)
				thief, err = s.Queue("jobs").Receive(context.Background(), broker.ReceiveOptions{NoWait: true, Lease: time.Hour})
			}
			soon(t, "the end of the context", ctx.Done())
			return ctx.Err()
		}))
		wants(t, "work", failed, broker.ErrLeaseLost)
		must(t, thief.Ack(t.Context()))
		s.noLeases(t)
	}},
	{"acknowledged in a transaction of its own", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		must(t, s.Queue("jobs").Work(t.Context(), broker.WorkOptions{ReceiveOptions: broker.ReceiveOptions{NoWait: true}},
			func(ctx context.Context, l *broker.Lease) error {
				return s.Update(ctx, func(tx *broker.Tx) error { return tx.Ack(l) })
			}))
		s.noLeases(t)
	}},
	{"ends with its context and gives back", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Queue("jobs").Work(ctx, broker.WorkOptions{Workers: 4, ReceiveOptions: broker.ReceiveOptions{Lease: time.Hour}},
			func(ctx context.Context, _ *broker.Lease) error {
				cancel()
				<-ctx.Done()
				return ctx.Err()
			})
		wants(t, "work", err, context.Canceled)
		if l := now(t, s.Broker, "jobs", broker.ReceiveOptions{}); l.Receives != 2 {
			t.Errorf("received %+v", l)
		}
		if s.Queue("jobs").Work(t.Context(), broker.WorkOptions{Workers: -1}, nil) == nil {
			t.Error("accepted -1 workers")
		}
	}},
}
