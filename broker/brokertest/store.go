package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/internal/waittest"
)

// A store is what a case works on: an open broker, its folder and its clock.
type store struct {
	*broker.Broker
	raw     broker.Backend // below Broker
	backend Backend
	dir     string
	clock   *clock

	mu   sync.Mutex
	last broker.ID // the greatest id that the case has seen
}

// A clock is a time that stands still until it is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// epoch is where a case's clock begins.
var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// open gives a case its store and looks it over when the case has ended.
func open(t *testing.T, b Backend) *store {
	s := &store{backend: b, dir: t.TempDir(), clock: &clock{now: epoch}}
	s.connect(t)
	t.Cleanup(func() { s.finish(t) })
	return s
}

// connect opens the store.
func (s *store) connect(t testing.TB) {
	s.raw = s.backend.Open(t, s.dir, s.clock.Now)
	s.Broker = broker.New(s.raw, broker.Options{Now: s.clock.Now})
}

// handle opens the store once more.
func (s *store) handle(t testing.TB) *broker.Broker {
	return s.handleWith(t, broker.Options{Now: s.clock.Now})
}

func (s *store) handleWith(t testing.TB, o broker.Options) *broker.Broker {
	return broker.New(s.backend.Open(t, s.dir, s.clock.Now), o)
}

// reopen closes the broker and opens it again.
func (s *store) reopen(t testing.TB) {
	t.Helper()
	must(t, s.Close())
	s.connect(t)
}

// finish looks the store over.
func (s *store) finish(t *testing.T) {
	before := s.state(t)
	s.reopen(t)
	if diff := cmp.Diff(before, s.state(t)); diff != "" {
		t.Errorf("reopening changed the store (-before +after):\n%s", diff)
	}
	s.see(before.ids()...)
	seen := s.last
	if id := s.write(t, "probe", "")[0]; id <= seen {
		t.Errorf("next id is %v; %v was given before", id, seen)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if s.backend.Check != nil {
		s.backend.Check(t, s.dir)
	}
}

// see remembers ids that were given.
func (s *store) see(ids ...broker.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, slices.Max(append(ids, 0)))
}

// write writes messages one by one.
func (s *store) write(t testing.TB, queue string, bodies ...string) (ids []broker.ID) {
	t.Helper()
	for _, body := range bodies {
		id, err := s.Queue(queue).Write(context.Background(), body)
		must(t, err)
		s.see(id)
		ids = append(ids, id)
	}
	return ids
}

// fill writes n messages, "0" to "n-1", at once.
func (s *store) fill(t testing.TB, queue string, n int) []broker.ID {
	t.Helper()
	ids, err := s.Queue(queue).WriteAll(context.Background(), numbers(n))
	must(t, err)
	s.see(ids...)
	return ids
}

func numbers(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprint(i)
	}
	return bodies
}

// messages are the messages of a queue.
func (s *store) messages(t testing.TB, queue string) (ms []broker.Message) {
	t.Helper()
	for m, err := range s.Queue(queue).Messages(context.Background(), broker.Select{}) {
		must(t, err)
		ms = append(ms, m)
	}
	return ms
}

// holds fails unless the queue holds just these bodies in this order.
func (s *store) holds(t testing.TB, queue string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, bodies(s.messages(t, queue))); diff != "" {
		t.Errorf("queue %s (-want +got):\n%s", queue, diff)
	}
}

func bodies(ms []broker.Message) (bs []string) {
	for _, m := range ms {
		bs = append(bs, m.Body)
	}
	return bs
}

func ids(ms []broker.Message) (is []broker.ID) {
	for _, m := range ms {
		is = append(is, m.ID)
	}
	return is
}

// update runs fn in a transaction that must succeed.
func (s *store) update(t testing.TB, fn func(tx *broker.Tx) error) {
	t.Helper()
	must(t, s.Update(context.Background(), fn))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err is, or wraps, want.
func wants(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// soon awaits an event.
func soon[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(waittest.Limit()):
		t.Fatalf("%s did not happen", what)
	}
	return v
}
