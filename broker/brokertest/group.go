package brokertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// endings are the ways of a function to fail, and what its caller gets.
var endings = []struct {
	name string
	end  func() error
	want outcome
}{
	{"error", refuse, outcome{err: errRefused}},
	{"panic", panics, outcome{panicked: errRefused}},
	{"end of the goroutine", exit, outcome{gone: true}},
}

// groupCases make transactions wait for one another, so that a backend that
// shares commits shares one among them.
var groupCases = []testCase{
	{"one fails alone", func(t *testing.T, s *store) {
		// Whoever it is: the first of those that wait, one between, or the last.
		for place := range 4 {
			for _, ending := range endings {
				var calls []func(context.Context) error
				for i := range 3 {
					calls = append(calls, s.writing("q", fmt.Sprint(i), succeed))
				}
				calls = slices.Insert(calls, place, s.writing("q", "never", ending.end))
				release := s.hold(t, func(*broker.Tx) error { return nil })
				waiting := queue(t, calls...)
				if got := release(); got != (outcome{}) {
					t.Errorf("%s at %d: the first transaction ended with %+v", ending.name, place, got)
				}
				for i, c := range waiting {
					var want outcome
					if i == place {
						want = ending.want
					}
					if got := soon(t, "the end of a transaction", c); got != want {
						t.Errorf("%s at %d: transaction %d ended with %+v, want %+v", ending.name, place, i, got, want)
					}
				}
				s.drains(t, "q", "0", "1", "2")
			}
		}
	}},
	{"all fail", func(t *testing.T, s *store) {
		for _, ending := range endings {
			release := s.hold(t, func(*broker.Tx) error { return ending.end() })
			call := s.writing("q", "never", ending.end)
			waiting := queue(t, call, call, call)
			got := []outcome{release()}
			for _, c := range waiting {
				got = append(got, soon(t, "the end of a transaction", c))
			}
			for i, o := range got {
				if o != ending.want {
					t.Errorf("%s: transaction %d ended with %+v, want %+v", ending.name, i, o, ending.want)
				}
			}
			s.drains(t, "q")
			s.write(t, "q", "next")
			s.drains(t, "q", "next")
		}
	}},
	{"single operations among functions that fail", func(t *testing.T, s *store) {
		s.write(t, "a", "taken", "moved", "deleted")
		q := s.Queue("a")
		var taken, moved broker.Message
		calls := []func(context.Context) error{
			func(ctx context.Context) (err error) { taken, err = q.Read(ctx); return err },
			s.writing("q", "never", refuse),
			func(ctx context.Context) (err error) { moved, err = q.Move(ctx, "b"); return err },
			s.writing("q", "never", panics),
			func(ctx context.Context) error { _, err := q.Delete(ctx, broker.Select{}); return err },
			s.writing("q", "never", exit),
			func(ctx context.Context) error { _, err := s.Queue("q").Write(ctx, "written"); return err },
			func(ctx context.Context) error { _, err := s.Queue("q").WriteAll(ctx, []string{"all"}); return err },
		}
		release := s.hold(t, func(*broker.Tx) error { return nil })
		waiting := queue(t, calls...)
		release()
		for i, c := range waiting {
			var want outcome
			if i < 6 && i%2 == 1 {
				want = endings[i/2].want
			}
			if got := soon(t, "the end of a call", c); got != want {
				t.Errorf("call %d ended with %+v, want %+v", i, got, want)
			}
		}
		if taken.Body != "taken" || moved.Body != "moved" {
			t.Errorf("took %+v and moved %+v", taken, moved)
		}
		s.holds(t, "a")
		s.holds(t, "b", "moved")
		s.drains(t, "q", "all", "written")
	}},
	{"each sees what came before it", func(t *testing.T, s *store) {
		release := s.hold(t, increment)
		call := func(ctx context.Context) error { return s.Update(ctx, increment) }
		waiting := queue(t, slices.Repeat([]func(context.Context) error{call}, 20)...)
		release()
		for _, c := range waiting {
			if got := soon(t, "the end of a transaction", c); got != (outcome{}) {
				t.Errorf("transaction ended with %+v", got)
			}
		}
		r, err := s.Record(t.Context(), "task", "counter")
		if err != nil || r.Rank != 22 {
			t.Errorf("counted to %d, %v, want 22", r.Rank, err)
		}
	}},
	{"more than fit into one commit", func(t *testing.T, s *store) {
		release := s.hold(t, func(*broker.Tx) error { return nil })
		var calls []func(context.Context) error
		for i := range 600 {
			calls = append(calls, func(ctx context.Context) error {
				_, err := s.Queue("q").Write(ctx, fmt.Sprint(i))
				return err
			})
		}
		waiting := queue(t, calls...)
		release()
		for i, c := range waiting {
			if got := soon(t, "the end of a write", c); got != (outcome{}) {
				t.Errorf("write %d ended with %+v", i, got)
			}
		}
		want := numbers(600)
		slices.Sort(want)
		s.drains(t, "q", want...)
	}},
	{"readers do not wait for writers", func(t *testing.T, s *store) {
		s.write(t, "q", "before")
		release := s.hold(t, func(tx *broker.Tx) error { _, err := tx.Write("q", "held"); return err })
		s.holds(t, "q", "before")
		s.state(t)
		release()
		s.holds(t, "q", "before", "held")
	}},
}

// drains takes all of a queue and fails unless it held just these bodies,
// given in byte order: who waits together may be served in any order.
func (s *store) drains(t testing.TB, queue string, want ...string) {
	t.Helper()
	var got []string
	for m, err := range s.Queue(queue).ReadEach(t.Context(), broker.Select{}) {
		must(t, err)
		s.see(m.ID)
		got = append(got, m.Body)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queue %s (-want +got):\n%s", queue, diff)
	}
}
