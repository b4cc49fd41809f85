package observe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/internal/waittest"
)

// wanted accepts bodies that begin with "+".
func wanted(m broker.Message) bool { return strings.HasPrefix(m.Body, "+") }

func TestConsume(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		s                   Selection
		got, left, moved    []string
		wantQueueOfMessages string
	}{
		{"take", Selection{Accept: wanted}, []string{"+1", "+2"}, []string{"a", "b", "c"}, nil, "q"},
		{"move", Selection{Accept: wanted, MoveTo: "r"}, []string{"+1", "+2"}, []string{"a", "b", "c"}, []string{"+1", "+2"}, "r"},
		{"all", Selection{}, []string{"a", "+1"}, []string{"b", "+2", "c"}, nil, "q"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			write(t, b, "q", "a", "+1", "b", "+2", "c")
			var got []string
			for m, err := range Consume(t.Context(), b, "q", tt.s) {
				must(t, err)
				if m.Queue != tt.wantQueueOfMessages {
					t.Errorf("message %q is in %q, want %q", m.Body, m.Queue, tt.wantQueueOfMessages)
				}
				if got = append(got, m.Body); len(got) == len(tt.got) {
					break
				}
			}
			diff := cmp.Diff([][]string{tt.got, tt.left, tt.moved}, [][]string{got, contents(t, b, "q"), contents(t, b, "r")})
			if diff != "" {
				t.Errorf("got, left, moved (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConsumeErrors(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "q", "a")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name  string
		ctx   context.Context
		queue string
		s     Selection
		want  error
	}{
		{"name", t.Context(), "no good", Selection{}, broker.ErrName},
		{"same queue", t.Context(), "q", Selection{MoveTo: "q"}, broker.ErrSameQueue},
		{"ctx", ended, "q", Selection{}, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pairs := 0
			for m, err := range Consume(tt.ctx, b, tt.queue, tt.s) {
				pairs++
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, error %v, want %v", m, err, tt.want)
				}
			}
			if pairs != 1 {
				t.Errorf("%d pairs, want 1", pairs)
			}
		})
	}
}

// TestConsumersShare lets several consumers want the same messages.
func TestConsumersShare(t *testing.T) {
	t.Parallel()
	const consumers, messages = 4, 200
	b := opened(t)
	ctx, cancel := context.WithCancel(waittest.Context(t))
	defer cancel()
	var mu sync.Mutex
	got := make(map[broker.ID]int)
	var work sync.WaitGroup
	for range consumers {
		work.Go(func() {
			for m, err := range Consume(ctx, b, "q", Selection{Accept: wanted}) {
				if err != nil {
					return
				}
				mu.Lock()
				got[m.ID]++
				if len(got) == messages {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	for range messages {
		write(t, b, "q", "-", "+")
	}
	work.Wait()
	if len(got) != messages {
		t.Errorf("%d messages were consumed, want %d", len(got), messages)
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("message %v was consumed %d times", id, n)
		}
	}
	if n := len(contents(t, b, "q")); n != messages {
		t.Errorf("%d messages are left, want %d", n, messages)
	}
}

// TestConsumeBesideBacklog counts how often a consumer decides while 20,000
// messages lie in the queue that it does not want, or 100,000 where WEFT_LONG
// is 1.
func TestConsumeBesideBacklog(t *testing.T) {
	t.Parallel()
	const news = 100
	backlog := 20_000
	if waittest.Long() {
		backlog = 100_000
	}
	b := opened(t)
	bodies := slices.Repeat([]string{"-"}, backlog)
	write(t, b, "q", bodies...)
	write(t, b, "q", "+")
	asked, got := 0, 0
	accept := func(m broker.Message) bool { asked++; return wanted(m) }
	c := consumer{q: b.Queue("q"), s: Selection{Accept: accept}}
	began := time.Now()
	var whole time.Duration
	for range news {
		must(t, c.scan(t.Context(), func(broker.Message, error) bool { got++; return true }))
		if whole == 0 {
			whole = time.Since(began)
			if !c.nextScan.After(began) {
				t.Error("it does not rest after it has looked through all")
			}
			c.nextScan = began.Add(1000 * time.Hour) // a slow machine may need longer than it rests
		}
		write(t, b, "q", "-", "+")
	}
	if got != news {
		t.Errorf("it took %d messages, want %d", got, news)
	}
	if most := backlog + 2*news; asked > most {
		t.Errorf("it decided %d times, want at most %d", asked, most)
	}
	t.Logf("%v to look through %d messages, %v for %d looks more", whole, backlog, time.Since(began)-whole, news-1)
}

// TestConsumePutBack puts a message back under its old id, behind the
// consumer.
func TestConsumePutBack(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "q", "+old", "-", "+new")
	_, err := b.Queue("q").Move(t.Context(), "elsewhere")
	must(t, err)
	ctx := waittest.Context(t)
	var got []string
	for m, err := range Consume(ctx, b, "q", Selection{Accept: wanted}) {
		must(t, err)
		if got = append(got, m.Body); len(got) == 2 {
			break
		}
		_, err := b.Queue("elsewhere").Move(t.Context(), "q")
		must(t, err)
	}
	if diff := cmp.Diff([]string{"+new", "+old"}, got); diff != "" {
		t.Errorf("consumed (-want +got):\n%s", diff)
	}
}

// TestConsumeModel compares a consumer with a list, while others write to the
// queue and take from it.
func TestConsumeModel(t *testing.T) {
	t.Parallel()
	b := opened(t)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		queue := fmt.Sprint("q", runs)
		q := b.Queue(queue)
		var model []broker.Message
		var next func() (broker.Message, error, bool)
		stop := func() {}
		defer func() { stop() }()
		start := func(*rapid.T) {
			stop()
			ctx, cancel := context.WithTimeout(context.Background(), waittest.Limit())
			var end func()
			next, end = iter.Pull2(Consume(ctx, b, queue, Selection{Accept: wanted}))
			stop = func() { end(); cancel() }
		}
		start(r)
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				bodies := rapid.SliceOfN(rapid.SampledFrom([]string{"+", "-", "+x", ""}), 1, 5).Draw(r, "bodies")
				for i, id := range write(t, b, queue, bodies...) {
					model = append(model, broker.Message{ID: id, Queue: queue, Body: bodies[i]})
				}
			},
			"read": func(r *rapid.T) {
				if len(model) == 0 {
					r.Skip("empty")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(r, "index")
				ms, err := q.ReadAll(context.Background(), broker.Select{ID: model[i].ID})
				if err != nil || len(ms) != 1 {
					r.Fatalf("read message %d: %v, %v", i, ms, err)
				}
				model = slices.Delete(model, i, i+1)
			},
			"consume": func(r *rapid.T) {
				i := slices.IndexFunc(model, wanted)
				if i < 0 {
					r.Skip("nothing is wanted")
				}
				got, err, ok := next()
				if err != nil || !ok || got != model[i] {
					r.Fatalf("got %v, %v, want %v", got, err, model[i])
				}
				model = slices.Delete(model, i, i+1)
			},
			"start anew": start,
			"": func(r *rapid.T) {
				var left []broker.Message
				for m, err := range q.Messages(context.Background(), broker.Select{}) {
					if err != nil {
						r.Fatal(err)
					}
					left = append(left, m)
				}
				if !slices.Equal(model, left) {
					r.Fatalf("left %v, want %v", left, model)
				}
			},
		})
	})
}
