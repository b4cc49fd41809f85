package observe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/internal/waittest"
)

// A handler notes what it is given, and does what the body says: "fail" fails,
// and the last message ends the watcher.
type handler struct {
	got  []string // QUEUE:BODY
	last int      // how many messages it waits for
}

var errFailed = errors.New("failed")

func (h *handler) handle(_ context.Context, m broker.Message) error {
	h.got = append(h.got, m.Queue+":"+m.Body)
	if strings.HasPrefix(m.Body, "fail") {
		return errFailed
	}
	if len(h.got) >= h.last {
		return ErrDone
	}
	return nil
}

// run runs w until it has handed out n messages, and returns them.
func run(t *testing.T, w Watcher, n int) ([]string, error) {
	t.Helper()
	ctx := waittest.Context(t)
	h := handler{last: n}
	err := w.Run(ctx, h.handle)
	return h.got, err
}

func verdict(v Verdict) func(broker.Message, error) Verdict {
	return func(broker.Message, error) Verdict { return v }
}

func pattern(t *testing.T, text string) broker.Pattern {
	t.Helper()
	p, err := broker.Glob(text)
	must(t, err)
	return p
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	type queues = map[string][]string
	a, ab := []string{"a"}, []string{"a", "b"}
	fails := queues{"a": {"1", "fail", "3"}, "b": {"4", "5"}}
	tests := []struct {
		name  string
		w     Watcher
		there queues
		want  []string
		err   error
		left  queues // of those there were, and what is reserved
	}{
		{"in turn", Watcher{Queues: ab}, queues{"a": {"1", "2", "3"}, "b": {"4", "5"}},
			[]string{"a:1", "b:4", "a:2", "b:5", "a:3"}, nil, nil},
		{"control first", Watcher{Queues: a, Control: "c"}, queues{"a": {"1", "2"}, "c": {"stop", "now"}},
			[]string{"c:stop", "c:now", "a:1", "a:2"}, nil, nil},
		{"control alone", Watcher{Control: "c"}, queues{"c": {"stop"}}, []string{"c:stop"}, nil, nil},
		{"named twice", Watcher{Queues: []string{"a", "c", "a"}, Control: "c", Patterns: []broker.Pattern{pattern(t, "*")}},
			queues{"a": {"1", "2"}, "b": {"3"}, "c": {"x"}}, []string{"c:x", "a:1", "b:3", "a:2"}, nil, nil},
		{"patterns", Watcher{Queues: []string{"b"}, Patterns: []broker.Pattern{pattern(t, "x.?"), broker.Prefix("y")}},
			queues{"b": {"1"}, "x.1": {"2"}, "x.11": {"3"}, "y1": {"4"}},
			[]string{"b:1", "x.1:2", "y1:4"}, nil, queues{"x.11": {"3"}}},
		{"peek", Watcher{Queues: ab, Control: "c", Mode: Peek}, queues{"a": {"1", "2"}, "b": {"3"}, "c": {"x"}},
			[]string{"c:x", "a:1", "b:3", "a:2"}, nil, queues{"a": {"1", "2"}, "b": {"3"}}},
		{"reserve", Watcher{Queues: ab, Control: "c", Mode: Reserve, Worker: "w"}, queues{"a": {"1", "2"}, "b": {"3"}, "c": {"x"}},
			[]string{"c:x", "a:1", "b:3", "a:2"}, nil, nil},
		{"own queues are not meant", Watcher{Patterns: []broker.Pattern{{}}, Mode: Reserve, Worker: "w"},
			queues{"a": {"1"}, "w.c": {"left"}}, []string{"a:1", "c:left"}, nil, nil},
		{"recover", Watcher{Queues: a, Patterns: []broker.Pattern{broker.Prefix("x.")}, Mode: Reserve, Worker: "w"},
			queues{"w.x.1": {"left"}, "w.a": {"left"}, "w.b": {"of another"}},
			[]string{"a:left", "x.1:left"}, nil, queues{"w.b": {"of another"}}},

		{"read, end", Watcher{Queues: ab}, fails, []string{"a:1", "b:4", "a:fail"}, errFailed,
			queues{"a": {"3"}, "b": {"5"}}},
		{"read, skip", Watcher{Queues: ab, Failed: verdict(Skip)}, fails, []string{"a:1", "b:4", "a:fail", "b:5", "a:3"}, nil, nil},
		{"peek, end", Watcher{Queues: ab, Mode: Peek}, fails, []string{"a:1", "b:4", "a:fail"}, errFailed, fails},
		{"peek, skip", Watcher{Queues: ab, Mode: Peek, Failed: verdict(Skip)}, fails,
			[]string{"a:1", "b:4", "a:fail", "b:5", "a:3"}, nil, fails},
		{"reserve, end", Watcher{Queues: ab, Mode: Reserve, Worker: "w"}, fails, []string{"a:1", "b:4", "a:fail"}, errFailed,
			queues{"a": {"fail", "3"}, "b": {"5"}}},
		{"reserve, skip", Watcher{Queues: ab, Mode: Reserve, Worker: "w", Failed: verdict(Skip)}, fails,
			[]string{"a:1", "b:4", "a:fail", "b:5", "a:3"}, nil, queues{"w.a": {"fail"}}},
		{"control, end", Watcher{Queues: a, Control: "c"}, queues{"c": {"fail"}, "a": {"1"}}, []string{"c:fail"}, errFailed,
			queues{"a": {"1"}}},

		{"nothing", Watcher{}, nil, nil, errAny, nil},
		{"mode", Watcher{Queues: a, Mode: 3}, nil, nil, errAny, nil},
		{"no worker", Watcher{Queues: a, Mode: Reserve}, nil, nil, broker.ErrName, nil},
		{"name", Watcher{Queues: []string{"no good"}}, nil, nil, broker.ErrName, nil},
		{"name of control", Watcher{Control: "no good"}, nil, nil, broker.ErrName, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			for queue, bodies := range tt.there {
				write(t, b, queue, bodies...)
			}
			tt.w.Broker = b
			got, err := run(t, tt.w, len(tt.want))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("handed out (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tt.err) && (tt.err != errAny || err == nil) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			left := queues{}
			for name, err := range b.Queues(broker.Pattern{}).Names(t.Context()) {
				must(t, err)
				left[name] = contents(t, b, name)
			}
			if tt.left == nil {
				tt.left = queues{}
			}
			if diff := cmp.Diff(tt.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

// errAny is an error that nobody branches on.
var errAny = errors.New("some error")

// TestWatcherAgain fails each message once.
func TestWatcherAgain(t *testing.T) {
	t.Parallel()
	for _, w := range []Watcher{{Mode: Read}, {Mode: Peek}, {Mode: Reserve, Worker: "w"}} {
		t.Run([]string{"read", "peek", "reserve"}[w.Mode], func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			write(t, b, "a", "1", "2")
			write(t, b, "b", "3")
			ctx := waittest.Context(t)
			w.Broker, w.Queues, w.Failed = b, []string{"a", "b"}, verdict(Again)
			var got []string
			var failed time.Time
			err := w.Run(ctx, func(_ context.Context, m broker.Message) error {
				switch got = append(got, m.Queue+":"+m.Body); len(got) {
				case 1:
					failed = time.Now()
					return errFailed
				case 3:
					if rested := time.Since(failed); rested < pause {
						t.Errorf("it came again after %v, want at least %v", rested, pause)
					}
				case 4:
					return ErrDone
				}
				return nil
			})
			must(t, err)
			if diff := cmp.Diff([]string{"a:1", "b:3", "a:1", "a:2"}, got); diff != "" {
				t.Errorf("handed out (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWatcherEnds ends ctx while a message is handled.
func TestWatcherEnds(t *testing.T) {
	t.Parallel()
	reason := errors.New("enough")
	for _, tt := range []struct {
		name   string
		answer error
		w      Watcher
		left   []string
	}{
		{"read, done", nil, Watcher{}, []string{"2"}},
		{"read, failed", errFailed, Watcher{}, []string{"2"}},
		{"reserve, done", nil, Watcher{Mode: Reserve, Worker: "w"}, []string{"2"}},
		{"reserve, failed", errFailed, Watcher{Mode: Reserve, Worker: "w"}, []string{"1", "2"}},
		{"peek", nil, Watcher{Mode: Peek}, []string{"1", "2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			write(t, b, "a", "1", "2")
			ctx, cancel := context.WithCancelCause(t.Context())
			tt.w.Broker, tt.w.Queues = b, []string{"a"}
			tt.w.Failed = func(broker.Message, error) Verdict { t.Error("Failed was asked"); return Skip }
			err := tt.w.Run(ctx, func(context.Context, broker.Message) error { cancel(reason); return tt.answer })
			if err != reason {
				t.Errorf("error %v, want %v", err, reason)
			}
			if diff := cmp.Diff([][]string{tt.left, nil}, [][]string{contents(t, b, "a"), contents(t, b, "w.a")}); diff != "" {
				t.Errorf("left, reserved (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWatcherMeetsQueues makes queues while the watcher runs: as it works, and
// as it sleeps. The first leaves when it is empty, and comes back.
func TestWatcherMeetsQueues(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ctx, cancel := context.WithCancel(waittest.Context(t))
	defer cancel()
	write(t, b, "x.1", "1")
	var got []string
	w := Watcher{Broker: b, Control: "c", Patterns: []broker.Pattern{broker.Prefix("x.")}}
	errs := make(chan error, 1)
	handled := make(chan string)
	go func() {
		errs <- w.Run(ctx, func(ctx context.Context, m broker.Message) error {
			select {
			case handled <- m.Queue + ":" + m.Body:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	got = append(got, <-handled)
	for _, queue := range []string{"x.2", "c", "x.1", "x.2"} {
		write(t, b, queue, "next")
		select {
		case m := <-handled:
			got = append(got, m)
		case <-ctx.Done():
			t.Fatalf("%q was not found", queue)
		}
	}
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if want := []string{"x.1:1", "x.2:next", "c:next", "x.1:next", "x.2:next"}; !slices.Equal(got, want) {
		t.Errorf("handed out %v, want %v", got, want)
	}
}

// TestWatcherServesControl sends a control message behind the back of a
// watcher that has work for long.
func TestWatcherServesControl(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "a", slices.Repeat([]string{"x"}, 100)...)
	n := 0
	w := Watcher{Broker: b, Queues: []string{"a"}, Control: "c"}
	err := w.Run(t.Context(), func(_ context.Context, m broker.Message) error {
		if m.Queue == "c" {
			return ErrDone
		}
		if n++; n == 10 {
			write(t, b, "c", "stop")
		}
		return nil
	})
	must(t, err)
	if n != 10 {
		t.Errorf("%d messages were handed out before the control message, want 10", n)
	}
}

// TestWatcherMeetsQueuesAtWork makes queues while another one never becomes
// empty.
func TestWatcherMeetsQueuesAtWork(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ctx := waittest.Context(t)
	write(t, b, "busy", "first")
	w := Watcher{Broker: b, Queues: []string{"busy", "b"}, Patterns: []broker.Pattern{broker.Prefix("x.")}}
	missing := map[string]bool{"b": true, "x.1": true}
	err := w.Run(ctx, func(_ context.Context, m broker.Message) error {
		switch {
		case m.Queue != "busy":
			delete(missing, m.Queue)
		case m.Body == "first":
			for queue := range missing {
				write(t, b, queue, "x")
			}
		}
		if len(missing) == 0 {
			return ErrDone
		}
		write(t, b, "busy", "more")
		return nil
	})
	if err != nil || len(missing) > 0 {
		t.Errorf("error %v; not served: %v", err, missing)
	}
}
