package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

var reserveCases = []testCase{
	{"handed out, acknowledged, gone", func(t *testing.T, s *store) {
		written := s.write(t, "jobs", "a", "b", "c")
		r := s.Queue("jobs").Reserve("jobs.mine")
		m, err := r.Next(t.Context())
		must(t, err)
		if want := (broker.Message{ID: written[0], Queue: "jobs.mine", Body: "a"}); m != want {
			t.Errorf("reserved %+v, want %+v", m, want)
		}
		s.holds(t, "jobs", "b", "c")
		s.holds(t, "jobs.mine", "a")
		must(t, r.Ack(t.Context(), m.ID))
		s.lists(t, "jobs")
		batch, err := r.Batch(t.Context(), 5)
		must(t, err)
		if diff := cmp.Diff([]string{"b", "c"}, bodies(batch)); diff != "" {
			t.Errorf("batch (-want +got):\n%s", diff)
		}
		must(t, r.Ack(t.Context(), ids(batch)...))
		s.lists(t)
	}},
	{"nothing to reserve", func(t *testing.T, s *store) {
		r := s.Queue("jobs").Reserve("jobs.mine")
		_, err := r.Next(t.Context())
		wants(t, "next", err, broker.ErrEmpty)
		if batch, err := r.Batch(t.Context(), 3); err != nil || len(batch) > 0 {
			t.Errorf("batch %v, %v", batch, err)
		}
		if n, err := r.Recover(t.Context()); err != nil || n != 0 {
			t.Errorf("recovered %d, %v", n, err)
		}
		must(t, r.Ack(t.Context()))
		must(t, r.Release(t.Context()))
		for _, n := range []int{0, -1} {
			if _, err := r.Batch(t.Context(), n); err == nil {
				t.Errorf("reserved a batch of %d", n)
			}
		}
	}},
	{"released in the old order", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b", "c", "d")
		r := s.Queue("jobs").Reserve("jobs.mine")
		batch, err := r.Batch(t.Context(), 3)
		must(t, err)
		must(t, r.Release(t.Context(), batch[2].ID, batch[0].ID))
		s.holds(t, "jobs", "a", "c", "d")
		s.holds(t, "jobs.mine", "b")
	}},
	{"a worker dies and comes back", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b", "c")
		r := s.Queue("jobs").Reserve("jobs.mine")
		_, err := r.Batch(t.Context(), 2)
		must(t, err)
		s.reopen(t)
		r = s.Queue("jobs").Reserve("jobs.mine")
		if n, err := r.Recover(t.Context()); err != nil || n != 2 {
			t.Errorf("recovered %d, %v, want 2", n, err)
		}
		s.holds(t, "jobs", "a", "b", "c")
		m, err := r.Next(t.Context())
		if err != nil || m.Body != "a" {
			t.Errorf("handed out %q, %v; want a once more", m.Body, err)
		}
	}},
	{"all or none are settled", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b", "c")
		r := s.Queue("jobs").Reserve("jobs.mine")
		batch, err := r.Batch(t.Context(), 2)
		must(t, err)
		waiting := s.messages(t, "jobs")[0].ID
		before := s.state(t)
		for what, wrong := range map[string]broker.ID{
			"one that is not reserved": waiting,
			"one that never was":       1,
			"no id":                    0,
			"a negative id":            -1,
			"one that is given twice":  batch[0].ID,
		} {
			list := []broker.ID{batch[0].ID, batch[1].ID, wrong}
			wants(t, "acknowledge "+what, r.Ack(t.Context(), list...), broker.ErrEmpty)
			wants(t, "release "+what, r.Release(t.Context(), list...), broker.ErrEmpty)
		}
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
	}},
	{"wakes who waits for what comes back", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		other := s.handle(t)
		defer other.Close()
		r := other.Queue("jobs").Reserve("jobs.mine")
		for what, back := range map[string]func(broker.Message) error{
			"release": func(m broker.Message) error { return r.Release(t.Context(), m.ID) },
			"recover": func(broker.Message) error { _, err := r.Recover(t.Context()); return err },
		} {
			m, err := r.Next(t.Context())
			must(t, err)
			w, err := s.Listen("jobs")
			must(t, err)
			must(t, back(m))
			soon(t, "the ring of a "+what, w.C())
			w.Close()
		}
	}},
	{"into its own queue", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		_, err := s.Queue("jobs").Reserve("jobs").Next(t.Context())
		wants(t, "next", err, broker.ErrSameQueue)
		s.holds(t, "jobs", "a")
	}},
	{"several workers, some of which die", func(t *testing.T, s *store) {
		// What each has done is known by its record, written with the Ack's queue
		// in view: every job is done, and only those whose worker died before it
		// could say so were handed out twice.
		const jobs, workers = 60, 4
		s.fill(t, "jobs", jobs)
		other := s.handle(t)
		defer other.Close()
		var mu sync.Mutex
		handed, died := map[broker.ID]int{}, 0
		var work sync.WaitGroup
		for w := range workers {
			b := []*broker.Broker{s.Broker, other}[w%2]
			work.Go(func() {
				r := b.Queue("jobs").Reserve(fmt.Sprint("jobs.", w))
				for i := 1; ; i++ {
					m, err := r.Next(context.Background())
					if errors.Is(err, broker.ErrEmpty) {
						return
					}
					if err != nil {
						t.Errorf("reserve: %v", err)
						return
					}
					mu.Lock()
					handed[m.ID]++
					dies := i%7 == 0
					if dies {
						died++
					}
					mu.Unlock()
					if dies {
						_, err = r.Recover(context.Background()) // its next life
					} else {
						err = r.Ack(context.Background(), m.ID)
					}
					if err != nil {
						t.Errorf("settle: %v", err)
					}
				}
			})
		}
		work.Wait()
		again := 0
		for _, n := range handed {
			again += n - 1
		}
		if len(handed) != jobs || again != died {
			t.Errorf("%d of %d jobs were handed out, %d of them again after %d deaths", len(handed), jobs, again, died)
		}
		s.lists(t)
	}},
	{"rename and reserve", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b")
		r := s.Queue("jobs").Reserve("jobs.mine")
		m, err := r.Next(t.Context())
		must(t, err)
		_, err = s.Rename(t.Context(), "jobs", "jobs.2026")
		must(t, err)
		must(t, r.Release(t.Context(), m.ID)) // to where it came from, by name
		if got := slices.Concat(bodies(s.messages(t, "jobs")), bodies(s.messages(t, "jobs.2026"))); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("there are %q", got)
		}
	}},
}
