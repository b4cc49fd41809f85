package brokertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// modes are the three things that a watch can do with messages, and where they
// are afterwards.
var modes = []struct {
	name string
	o    broker.WatchOptions
	then string // the queue that holds them; "" if none
}{
	{"take", broker.WatchOptions{}, ""},
	{"peek", broker.WatchOptions{Peek: true}, "q"},
	{"move", broker.WatchOptions{MoveTo: "dst"}, "dst"},
}

var watchCases = []testCase{
	{"what is there and what comes", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, then string) {
		s.write(t, "q", "1", "2")
		o.Limit = 5
		var got []string
		for m, err := range s.Queue("q").Watch(t.Context(), o) {
			must(t, err)
			got = append(got, m.Body)
			if len(got) == 2 {
				s.write(t, "q", "3", "4", "5", "6")
			}
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, got); diff != "" {
			t.Errorf("watched (-want +got):\n%s", diff)
		}
		switch then {
		case "":
			s.holds(t, "q", "6")
		case "q":
			s.holds(t, "q", "1", "2", "3", "4", "5", "6")
		default:
			s.holds(t, "q", "6")
			s.holds(t, then, "1", "2", "3", "4", "5")
		}
	})},
	{"wakes for what comes while it waits", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, _ string) {
		ctx := newWitness(t.Context())
		o.Limit = 2
		got := make(chan broker.Message, 2)
		c := start(func() error {
			for m, err := range s.Queue("q").Watch(ctx, o) {
				if err != nil {
					return err
				}
				got <- m
			}
			return nil
		})
		soon(t, "waiting", ctx.asked)
		for _, body := range []string{"1", "2"} {
			want := s.write(t, "q", body)[0]
			if m := soon(t, "a message", got); m.ID != want || m.Body != body {
				t.Errorf("watched %+v, want %v %q", m, want, body)
			}
		}
		must(t, soon(t, "the end of the watch", c).err)
	})},
	{"after", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, _ string) {
		written := s.write(t, "q", "1", "2", "3", "4")
		o.After, o.Limit = written[1], 2
		var got []string
		for m, err := range s.Queue("q").Watch(t.Context(), o) {
			must(t, err)
			got = append(got, m.Body)
		}
		if diff := cmp.Diff([]string{"3", "4"}, got); diff != "" {
			t.Errorf("watched (-want +got):\n%s", diff)
		}
		if ms := s.messages(t, "q"); len(ms) < 2 || ms[1].Body != "2" {
			t.Errorf("left in the queue: %v", bodies(ms))
		}
	})},
	{"breaking off loses nothing", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, then string) {
		s.write(t, "q", "1", "2", "3", "4", "5")
		n := 0
		for _, err := range s.Queue("q").Watch(t.Context(), o) {
			must(t, err)
			if n++; n == 2 {
				break
			}
		}
		switch then {
		case "":
			s.holds(t, "q", "3", "4", "5")
		case "q":
			s.holds(t, "q", "1", "2", "3", "4", "5")
		default:
			s.holds(t, "q", "3", "4", "5")
			s.holds(t, then, "1", "2")
		}
	})},
	{"ends with its context while it waits", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, _ string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := newWitness(ctx)
		c := start(func() error { return last(s.Queue("q").Watch(waiting, o)) })
		soon(t, "waiting", waiting.asked)
		cancel(errGaveUp)
		wants(t, "watch", soon(t, "the end of the watch", c).err, errGaveUp)
	})},
	{"ends with its context while messages are there", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, then string) {
		s.fill(t, "q", 600)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n := 0
		var end error
		for _, err := range s.Queue("q").Watch(ctx, o) {
			if err != nil {
				end = err
				continue
			}
			if n++; n == 10 {
				cancel(errGaveUp)
			}
		}
		wants(t, "watch", end, errGaveUp)
		if n != 10 {
			t.Errorf("watched %d messages, want those 10 until the context ended", n)
		}
		if then != "q" {
			if left := len(s.messages(t, "q")); left != 590 {
				t.Errorf("%d messages are left, want 590", left)
			}
		}
	})},
	{"many", eachMode(func(t *testing.T, s *store, o broker.WatchOptions, _ string) {
		written := s.fill(t, "q", 400)
		o.Limit = 400
		n := 0
		for m, err := range s.Queue("q").Watch(t.Context(), o) {
			must(t, err)
			if m.ID != written[n] {
				t.Fatalf("message %d is %v, want %v", n, m.ID, written[n])
			}
			n++
		}
		if n != 400 {
			t.Errorf("watched %d of 400", n)
		}
	})},
	{"several at once", func(t *testing.T, s *store) {
		// Each message goes to one of those who take, and none to nobody.
		const watchers, messages = 4, 60
		other := s.handle(t)
		defer other.Close()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		var ends []<-chan outcome
		for i := range watchers {
			q := []*broker.Broker{s.Broker, other}[i%2].Queue("q")
			ends = append(ends, start(func() error {
				for m, err := range q.Watch(ctx, broker.WatchOptions{}) {
					if err != nil {
						return err
					}
					got <- m.Body
				}
				return nil
			}))
		}
		writes := start(func() error {
			for i := range messages {
				if _, err := s.Queue("q").Write(ctx, fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		seen := map[string]bool{}
		for range messages {
			body := soon(t, "a message", got)
			if seen[body] {
				t.Errorf("message %s was handed out twice", body)
			}
			seen[body] = true
		}
		must(t, soon(t, "the end of the writes", writes).err)
		cancel()
		for _, c := range ends {
			wants(t, "watch", soon(t, "the end of a watch", c).err, context.Canceled)
		}
	}},
}

// eachMode makes a case of one that is run for each mode, in a store of its own.
func eachMode(run func(t *testing.T, s *store, o broker.WatchOptions, then string)) func(*testing.T, *store) {
	return func(t *testing.T, s *store) {
		for _, mode := range modes {
			t.Run(mode.name, func(t *testing.T) { run(t, open(t, s.backend), mode.o, mode.then) })
		}
	}
}
