package brokertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// showing is a handle that shows each message of the queue "log" with the body of the
// record that it names, and "long" as a body that is too long.
func (s *store) showing(t testing.TB) *broker.Broker {
	b := s.handleWith(t, broker.Options{MaxMessage: 100, Shows: func(queue string) broker.ShowFunc {
		if queue != "log" {
			return nil
		}
		return func(r broker.Reader, m broker.Message) (string, error) {
			if m.Body == "long" {
				return strings.Repeat("x", 101), nil
			}
			rec, err := r.Record("task", m.Body)
			return m.Body + "=" + rec.Body, err
		}
	}})
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

var shownCases = []testCase{
	{"are shown whoever reads them", func(t *testing.T, s *store) {
		s.put(t, broker.Record{Kind: "task", Key: "1", Rank: 1, Body: "one"})
		b := s.showing(t)
		ctx := t.Context()
		two := []broker.Message{{Body: "1=one"}, {Body: "long"}}
		for name, read := range map[string]func(*broker.Queue) ([]broker.Message, error){
			"peek": func(q *broker.Queue) ([]broker.Message, error) {
				m, err := q.Peek(ctx)
				return []broker.Message{m, two[1]}, err
			},
			"read": func(q *broker.Queue) ([]broker.Message, error) {
				m, err := q.Read(ctx)
				return []broker.Message{m, two[1]}, err
			},
			"read all": func(q *broker.Queue) ([]broker.Message, error) { return q.ReadAll(ctx, broker.Select{}) },
			"move": func(q *broker.Queue) ([]broker.Message, error) {
				m, err := q.Move(ctx, "x")
				return []broker.Message{m, two[1]}, err
			},
			"messages": func(q *broker.Queue) (ms []broker.Message, err error) {
				for m, err := range q.Messages(ctx, broker.Select{}) {
					if ms = append(ms, m); err != nil {
						return nil, err
					}
				}
				return ms, nil
			},
			"watch": func(q *broker.Queue) (ms []broker.Message, err error) {
				for m, err := range q.Watch(ctx, broker.WatchOptions{Limit: 2}) {
					if ms = append(ms, m); err != nil {
						return nil, err
					}
				}
				return ms, nil
			},
			"read in a transaction": func(*broker.Queue) (ms []broker.Message, err error) {
				err = b.Update(ctx, func(tx *broker.Tx) (err error) { ms, err = tx.Read("log", broker.Select{}); return err })
				return ms, err
			},
			"messages in a transaction": func(*broker.Queue) (ms []broker.Message, err error) {
				err = b.Update(ctx, func(tx *broker.Tx) (err error) { ms, err = tx.Messages("log", broker.Select{}); return err })
				return ms, err
			},
			"move in a transaction": func(*broker.Queue) (ms []broker.Message, err error) {
				err = b.Update(ctx, func(tx *broker.Tx) (err error) { ms, err = tx.Move("log", "x", broker.Select{}); return err })
				return ms, err
			},
		} {
			s.write(t, "log", "1", "long")
			ms, err := read(b.Queue("log"))
			must(t, err)
			if diff := cmp.Diff(bodies(two), bodies(ms)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			_, err = s.Queue("log").Delete(ctx, broker.Select{})
			must(t, err)
		}
		if _, err := b.Queue("log").Peek(ctx); err == nil {
			t.Error("peek an empty queue: no error")
		}
	}},
	{"are moved as they are shown", func(t *testing.T, s *store) {
		const n = 300
		b := s.showing(t)
		var want []string
		for i := range n {
			key := fmt.Sprint(i)
			s.put(t, broker.Record{Kind: "task", Key: key, Rank: int64(i + 1), Body: "r"})
			s.write(t, "log", key)
			want = append(want, key+"=r")
		}
		before := s.messages(t, "log")
		moved, err := b.Queue("log").MoveAll(t.Context(), "x", broker.Select{Limit: 20})
		must(t, err)
		rest, err := b.Rename(t.Context(), "log", "y")
		must(t, err)
		if moved != 20 || rest != n-20 {
			t.Errorf("moved %d and %d", moved, rest)
		}
		s.holds(t, "x", want[:20]...)
		s.holds(t, "y", want[20:]...)
		s.holds(t, "log")
		if after := s.messages(t, "y"); after[0].ID != before[20].ID {
			t.Errorf("message %v is %v now", before[20].ID, after[0].ID)
		}
	}},
	{"come in pages", func(t *testing.T, s *store) {
		const n = 600
		b := s.showing(t)
		s.put(t, broker.Record{Kind: "task", Key: "1", Rank: 1, Body: "r"})
		for range n {
			s.write(t, "log", "1")
		}
		for _, tt := range []struct {
			sel  broker.Select
			want int
		}{{broker.Select{}, n}, {broker.Select{Limit: 500}, 500}, {broker.Select{Limit: 256}, 256}, {broker.Select{ID: 1}, 0}} {
			var ms []broker.Message
			must(t, b.Update(t.Context(), func(tx *broker.Tx) (err error) {
				ms, err = tx.Messages("log", tt.sel)
				return err
			}))
			if len(ms) != tt.want {
				t.Errorf("%+v: %d messages, want %d", tt.sel, len(ms), tt.want)
			}
		}
	}},
	{"and what cannot be shown is not taken", func(t *testing.T, s *store) {
		b := s.showing(t)
		s.write(t, "log", "none")
		ctx := t.Context()
		_, err := b.Queue("log").Read(ctx)
		wants(t, "read", err, broker.ErrNotFound)
		_, err = b.Queue("log").MoveAll(ctx, "x", broker.Select{})
		wants(t, "move", err, broker.ErrNotFound)
		s.holds(t, "log", "none")
	}},
}
