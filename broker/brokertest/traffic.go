package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

// trafficCases let many goroutines work at once, over two handles that stand
// for two processes.
var trafficCases = []testCase{
	{"nothing is lost", func(t *testing.T, s *store) {
		const producers, each = 64, 12
		other := s.handle(t)
		defer other.Close()
		var given sync.Map // id → body
		var work sync.WaitGroup
		for p := range producers {
			b := []*broker.Broker{s.Broker, other}[p%2]
			work.Go(func() {
				for i := range each {
					body := fmt.Sprintf("%d %d", p, i)
					id, err := produce(b, body, i%3)
					if err != nil {
						t.Errorf("write %q: %v", body, err)
						return
					}
					if was, twice := given.LoadOrStore(id, body); twice {
						t.Errorf("id %v was given to %q and to %q", id, was, body)
					}
				}
			})
		}
		work.Wait()
		next := make([]int, producers) // number of each producer's next message
		for _, m := range s.messages(t, "q") {
			var p, i int
			if _, err := fmt.Sscan(m.Body, &p, &i); err != nil {
				t.Fatal(err)
			}
			if i != next[p] {
				t.Errorf("message %d of producer %d comes where %d was due", i, p, next[p])
			}
			next[p] = i + 1
			if body, _ := given.Load(m.ID); body != m.Body {
				t.Errorf("message %v is %q; its writer of that id wrote %q", m.ID, m.Body, body)
			}
		}
		for p, n := range next {
			if n != each {
				t.Errorf("producer %d: %d messages, want %d", p, n, each)
			}
		}
	}},
	{"who follows misses nothing", func(t *testing.T, s *store) {
		// Ids rise in the order of commits, also when the clock does what it
		// likes, so a reader may remember the last id and ask for what is greater.
		const producers, each = 8, 40
		other := s.handle(t)
		defer other.Close()
		ctx := waittest.Context(t)
		w, err := other.Listen("q")
		must(t, err)
		defer w.Close()
		var work sync.WaitGroup
		defer work.Wait()
		for p := range producers {
			b := []*broker.Broker{s.Broker, other}[p%2]
			work.Go(func() {
				for i := range each {
					s.clock.Set(epoch.Add(time.Duration(rand.Int64N(int64(2*time.Hour))) - time.Hour))
					if _, err := produce(b, fmt.Sprintf("%d %d", p, i), i%3); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			})
		}
		var last broker.ID
		for n := 0; n < producers*each; {
			for m, err := range other.Queue("q").Messages(ctx, broker.Select{After: last}) {
				must(t, err)
				if m.ID <= last {
					t.Fatalf("id %v after %v", m.ID, last)
				}
				last = m.ID
				n++
			}
			if n < producers*each {
				if err := w.Wait(ctx); err != nil {
					t.Fatalf("followed %d of %d messages: %v", n, producers*each, err)
				}
			}
		}
	}},
	{"each message is handed out once", func(t *testing.T, s *store) {
		const messages, readers = 300, 16
		other := s.handle(t)
		defer other.Close()
		s.fill(t, "q", messages)
		var taken sync.Map
		var work sync.WaitGroup
		for r := range readers {
			q := []*broker.Broker{s.Broker, other}[r%2].Queue("q")
			work.Go(func() {
				for {
					ms, err := fetch(q, r%3)
					if err != nil {
						t.Errorf("read: %v", err)
					}
					if len(ms) == 0 {
						return
					}
					for _, m := range ms {
						if _, twice := taken.LoadOrStore(m.ID, r); twice {
							t.Errorf("message %v was handed out twice", m.ID)
						}
					}
				}
			})
		}
		work.Wait()
		n := 0
		taken.Range(func(any, any) bool { n++; return true })
		if n != messages {
			t.Errorf("handed out %d messages of %d", n, messages)
		}
	}},
	{"a message is in one place at every instant", func(t *testing.T, s *store) {
		const messages, movers, moves = 20, 4, 40
		s.fill(t, "a", messages)
		other := s.handle(t)
		defer other.Close()
		var work sync.WaitGroup
		for m := range movers {
			b := []*broker.Broker{s.Broker, other}[m%2]
			work.Go(func() {
				for i := range moves {
					src, dst := "a", "b"
					if (m+i)%2 == 1 {
						src, dst = dst, src
					}
					if _, err := b.Queue(src).MoveAll(t.Context(), dst, broker.Select{Limit: 1 + i%5}); err != nil {
						t.Errorf("move: %v", err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { work.Wait(); close(done) }()
		for looking := true; looking; {
			select {
			case <-done:
				looking = false
			default:
			}
			if n := len(s.state(t).ids()); n != messages {
				t.Fatalf("there are %d messages, want %d", n, messages)
			}
		}
	}},
}

// produce writes body to "q" in one of three ways.
func produce(b *broker.Broker, body string, way int) (id broker.ID, err error) {
	ctx := context.Background()
	switch way {
	case 0:
		return b.Queue("q").Write(ctx, body)
	case 1:
		ids, err := b.Queue("q").WriteAll(ctx, []string{body})
		if err != nil {
			return 0, err
		}
		return ids[0], nil
	default:
		err = b.Update(ctx, func(tx *broker.Tx) (err error) {
			id, err = tx.Write("q", body)
			return err
		})
		return id, err
	}
}

// fetch takes some messages in one of three ways, none if the queue is empty.
func fetch(q *broker.Queue, way int) (ms []broker.Message, err error) {
	ctx := context.Background()
	switch way {
	case 0:
		m, err := q.Read(ctx)
		if err != nil {
			return nil, ignoreEmpty(err)
		}
		return []broker.Message{m}, nil
	case 1:
		for m, err := range q.ReadEach(ctx, broker.Select{Limit: 5}) {
			if err != nil {
				return ms, err
			}
			ms = append(ms, m)
		}
		return ms, nil
	default:
		m, err := q.Move(ctx, "taken")
		if err != nil {
			return nil, ignoreEmpty(err)
		}
		return []broker.Message{m}, nil
	}
}

func ignoreEmpty(err error) error {
	if errors.Is(err, broker.ErrEmpty) {
		return nil
	}
	return err
}
