package brokertest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"weft/broker"
)

// messageCases are about iterating over what is large, or changes meanwhile.
var messageCases = []testCase{
	{"large ones are fetched a few at a time", func(t *testing.T, s *store) {
		// What comes out after the queue was emptied had been fetched before.
		const n, size, bound = 24, 1 << 20, 4
		s.writeLarge(t, "q", n, size)
		fetched := 0
		for _, err := range s.Queue("q").Messages(t.Context(), broker.Select{}) {
			must(t, err)
			if fetched++; fetched == 1 {
				_, err := s.Queue("q").Delete(t.Context(), broker.Select{})
				must(t, err)
			}
		}
		if fetched > bound {
			t.Errorf("%d messages of %d bytes were fetched at once, want at most %d", fetched, size, bound)
		}
	}},
	{"large ones are all there", func(t *testing.T, s *store) {
		const n, size = 6, 3 << 20
		written := s.writeLarge(t, "q", n, size)
		for _, sel := range []broker.Select{{}, {Limit: 2}, {After: written[1], Limit: 3}, {Limit: n + 1}} {
			want := pick(s.messages(t, "q"), indices(written, sel))
			var got []broker.ID
			for m, err := range s.Queue("q").Messages(t.Context(), sel) {
				must(t, err)
				if len(m.Body) != size {
					t.Errorf("message of %d bytes, want %d", len(m.Body), size)
				}
				got = append(got, m.ID)
			}
			if !slices.Equal(got, ids(want)) {
				t.Errorf("%+v: got %d messages, want %d", sel, len(got), len(want))
			}
		}
		watched := 0
		for _, err := range s.Queue("q").Watch(t.Context(), broker.WatchOptions{Peek: true, Limit: n}) {
			must(t, err)
			watched++
		}
		if watched != n {
			t.Errorf("watched %d of %d", watched, n)
		}
	}},
	{"each once while others take", func(t *testing.T, s *store) {
		// The messages at odd places are taken meanwhile, by their ids; those at
		// even places stay, and none of them may be missed.
		const n = 1200
		written := s.fill(t, "q", n)
		other := s.handle(t)
		defer other.Close()
		var taking sync.WaitGroup
		begin := make(chan struct{})
		for k := range 3 {
			taking.Go(func() {
				<-begin
				for i := 2*k + 1; i < n; i += 6 {
					if _, err := other.Queue("q").ReadAll(context.Background(), broker.Select{ID: written[i]}); err != nil {
						t.Errorf("take: %v", err)
					}
				}
			})
		}
		close(begin)
		for range 4 {
			var seen []broker.ID
			for m, err := range s.Queue("q").Messages(t.Context(), broker.Select{}) {
				must(t, err)
				seen = append(seen, m.ID)
			}
			if !rising(seen) {
				t.Fatal("a message came twice, or out of order")
			}
			for i := 0; i < n; i += 2 {
				if _, found := slices.BinarySearch(seen, written[i]); !found {
					t.Fatalf("message %d of %d was missed", i, n)
				}
			}
		}
		taking.Wait()
	}},
	{"and those that come meanwhile", func(t *testing.T, s *store) {
		s.fill(t, "q", 600)
		n := 0
		for _, err := range s.Queue("q").Messages(t.Context(), broker.Select{Limit: 700}) {
			must(t, err)
			if n++; n == 300 {
				s.fill(t, "q", 200)
			}
		}
		if n != 700 {
			t.Errorf("saw %d messages, want 700 of the 800", n)
		}
	}},
	{"take breaks off without loss", func(t *testing.T, s *store) {
		const n = 200
		s.fill(t, "q", n)
		other := s.handle(t)
		defer other.Close()
		var mu sync.Mutex
		taken := map[broker.ID]bool{}
		var work sync.WaitGroup
		for w := range 4 {
			q := []*broker.Broker{s.Broker, other}[w%2].Queue("q")
			work.Go(func() {
				for stop := 1; stop <= 8; stop++ { // breaks off at the first, the second …
					i := 0
					for m, err := range q.ReadEach(context.Background(), broker.Select{}) {
						if err != nil {
							t.Errorf("take: %v", err)
							return
						}
						mu.Lock()
						if taken[m.ID] {
							t.Errorf("message %v was taken twice", m.ID)
						}
						taken[m.ID] = true
						mu.Unlock()
						if i++; i == stop {
							break
						}
					}
				}
			})
		}
		work.Wait()
		if left := len(s.messages(t, "q")); len(taken) != 4*36 || left != n-len(taken) {
			t.Errorf("%d were handed out, %d are left of %d", len(taken), left, n)
		}
	}},
	{"take ends with its context", func(t *testing.T, s *store) {
		s.fill(t, "q", 10)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n := 0
		var end error
		for _, err := range s.Queue("q").ReadEach(ctx, broker.Select{}) {
			if end = err; err != nil {
				continue
			}
			if n++; n == 3 {
				cancel(errGaveUp)
			}
		}
		wants(t, "take", end, errGaveUp)
		if left := len(s.messages(t, "q")); n != 3 || left != 7 {
			t.Errorf("took %d, left %d", n, left)
		}
	}},
	{"scan inside a transaction", func(t *testing.T, s *store) {
		s.fill(t, "q", 5)
		var seen []string
		s.update(t, func(tx *broker.Tx) error {
			seen = nil
			err := tx.Scan("q", broker.Select{}, func(m broker.Message) bool {
				seen = append(seen, m.Body)
				return len(seen) < 3
			})
			if err != nil {
				return err
			}
			_, err = tx.Delete("q", broker.Select{Limit: 1}) // the scan is over
			return err
		})
		if want := numbers(3); !slices.Equal(seen, want) {
			t.Errorf("scanned %q, want %q", seen, want)
		}
		s.holds(t, "q", "1", "2", "3", "4")
	}},
	{"a body is counted while it is read", func(t *testing.T, s *store) {
		b := s.handleWith(t, broker.Options{MaxMessage: 1000})
		defer b.Close()
		for n, want := range map[int]error{0: nil, 999: nil, 1000: nil, 1001: broker.ErrTooLarge, 5000: broker.ErrTooLarge} {
			text := strings.Repeat("x", n)
			body, err := b.ReadBody(strings.NewReader(text))
			wants(t, "read a body", err, want)
			_, write := b.Queue("q").Write(t.Context(), text)
			wants(t, "write it", write, want)
			if want == nil && body != text {
				t.Errorf("read %d bytes of %d", len(body), n)
			}
		}
		endless := &counter{}
		_, err := b.ReadBody(endless)
		wants(t, "read an endless body", err, broker.ErrTooLarge)
		if endless.n > 10_000 {
			t.Errorf("read %d bytes to find more than 1000", endless.n)
		}
		_, err = b.ReadBody(io.MultiReader(strings.NewReader("x"), &counter{err: errRefused}))
		wants(t, "read what fails", err, errRefused)
	}},
	{"read all", func(t *testing.T, s *store) {
		if ms, err := s.Queue("q").ReadAll(t.Context(), broker.Select{}); err != nil || len(ms) > 0 {
			t.Errorf("read %v, %v", ms, err)
		}
		written := s.fill(t, "q", 300)
		ms, err := s.Queue("q").ReadAll(t.Context(), broker.Select{Limit: 100})
		if err != nil || !slices.Equal(ids(ms), written[:100]) {
			t.Errorf("read %d messages, %v, not the first 100 in order", len(ms), err)
		}
		ms, err = s.Queue("q").ReadAll(t.Context(), broker.Select{})
		if err != nil || !slices.Equal(ids(ms), written[100:]) {
			t.Errorf("read %d messages, %v, not the other 200 in order", len(ms), err)
		}
		_, err = s.Queue("q").Read(t.Context())
		if !errors.Is(err, broker.ErrEmpty) {
			t.Errorf("read after all: %v", err)
		}
	}},
}

// writeLarge writes n messages of a size.
func (s *store) writeLarge(t testing.TB, queue string, n, size int) []broker.ID {
	t.Helper()
	return s.write(t, queue, slices.Repeat([]string{strings.Repeat("x", size)}, n)...)
}

// indices are the places of the ids that a selection picks.
func indices(all []broker.ID, sel broker.Select) (picked []int) {
	for i, id := range all {
		if id > sel.After && (sel.Limit == 0 || len(picked) < sel.Limit) {
			picked = append(picked, i)
		}
	}
	return picked
}

// A counter is an endless input, or one that fails.
type counter struct {
	n   int
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.n += len(p)
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
