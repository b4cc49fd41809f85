package brokertest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// errRefused is an error of a caller's own.
var errRefused = errors.New("refused")

var updateCases = []testCase{
	{"all of it", func(t *testing.T, s *store) {
		s.write(t, "in", "job")
		s.write(t, "rubbish", "1", "2")
		s.update(t, func(tx *broker.Tx) error {
			ms, err := tx.Read("in", broker.Select{Limit: 1})
			if err != nil {
				return err
			}
			if _, err := tx.Write("out", "done "+ms[0].Body); err != nil {
				return err
			}
			if _, err := tx.Move("rubbish", "kept", broker.Select{Limit: 1}); err != nil {
				return err
			}
			if _, err := tx.Delete("rubbish", broker.Select{}); err != nil {
				return err
			}
			return tx.PutRecord(broker.Record{Kind: "task", Key: "t", State: "done", Rank: 1})
		})
		s.lists(t, "kept", "out")
		s.holds(t, "out", "done job")
		s.holds(t, "kept", "1")
		r, err := s.Record(t.Context(), "task", "t")
		if err != nil || r.State != "done" {
			t.Errorf("record %+v, %v", r, err)
		}
	}},
	{"or nothing", func(t *testing.T, s *store) {
		s.write(t, "in", "job", "job 2")
		s.update(t, func(tx *broker.Tx) error {
			return tx.PutRecord(broker.Record{Kind: "task", Key: "t", State: "new", Rank: 1, Body: "{}"})
		})
		before := s.state(t)
		err := s.Update(t.Context(), func(tx *broker.Tx) error {
			if err := s.disturb(tx); err != nil {
				return err
			}
			return errRefused
		})
		if err != errRefused {
			t.Errorf("update: error %v, want the function's own, as it is", err)
		}
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
	}},
	{"panic", func(t *testing.T, s *store) {
		s.write(t, "in", "job", "job 2")
		before := s.state(t)
		if v := panicOf(func() {
			s.Update(t.Context(), func(tx *broker.Tx) error {
				if err := s.disturb(tx); err != nil {
					return err
				}
				panic(errRefused)
			})
		}); v != errRefused {
			t.Errorf("panic with %v, want the function's own", v)
		}
		if diff := cmp.Diff(before, s.state(t)); diff != "" {
			t.Errorf("state (-before +after):\n%s", diff)
		}
		s.write(t, "in", "job 3")
		s.holds(t, "in", "job", "job 2", "job 3")
	}},
	{"reads its own writes", func(t *testing.T, s *store) {
		s.update(t, func(tx *broker.Tx) error {
			id, err := tx.Write("q", "x")
			if err != nil {
				return err
			}
			want := []broker.Message{{ID: id, Queue: "q", Body: "x"}}
			seen, err := tx.Messages("q", broker.Select{})
			if err != nil {
				return err
			}
			moved, err := tx.Move("q", "r", broker.Select{ID: id})
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("seen after the write (-want +got):\n%s", diff)
			}
			want[0].Queue = "r"
			if diff := cmp.Diff(want, moved); diff != "" {
				t.Errorf("moved (-want +got):\n%s", diff)
			}
			taken, err := tx.Read("r", broker.Select{})
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, taken); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
			return nil
		})
		s.lists(t)
	}},
	{"swallowed errors of arguments do no harm", func(t *testing.T, s *store) {
		s.update(t, func(tx *broker.Tx) error {
			if _, err := tx.Write("q", "kept"); err != nil {
				return err
			}
			_, err := tx.Write("q", "\xff")
			wants(t, "write", err, broker.ErrBody)
			_, err = tx.Record("task", "none")
			wants(t, "record", err, broker.ErrNotFound)
			return nil
		})
		s.holds(t, "q", "kept")
	}},
	{"nothing to do", func(t *testing.T, s *store) {
		s.update(t, func(*broker.Tx) error { return nil })
		s.lists(t)
	}},
	{"compare and set", func(t *testing.T, s *store) {
		// Two handles stand for two processes: reading and then writing in one
		// transaction never fails and never overwrites what it has not seen.
		handles := []*broker.Broker{s.Broker, s.handle(t)}
		defer handles[1].Close()
		const each = 50
		errs := make(chan error)
		for _, b := range handles {
			go func() {
				for range each {
					if err := b.Update(t.Context(), increment); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		for range handles {
			if err := soon(t, "the end of a writer", errs); err != nil {
				t.Error(err)
			}
		}
		r, err := s.Record(t.Context(), "task", "counter")
		if err != nil || r.Rank != int64(1+len(handles)*each) {
			t.Errorf("counter is %d, %v, want %d", r.Rank, err, 1+len(handles)*each)
		}
	}},
}

// disturb changes a bit of everything.
func (s *store) disturb(tx *broker.Tx) error {
	if _, err := tx.Write("out", "x"); err != nil {
		return err
	}
	if _, err := tx.Read("in", broker.Select{Limit: 1}); err != nil {
		return err
	}
	if _, err := tx.Move("in", "else", broker.Select{}); err != nil {
		return err
	}
	if err := tx.PutRecord(broker.Record{Kind: "task", Key: "u", Rank: 2}); err != nil {
		return err
	}
	return tx.DeleteRecord("task", "t")
}

// increment counts in the rank of a record, which begins at 1.
func increment(tx *broker.Tx) error {
	r, err := tx.Record("task", "counter")
	if errors.Is(err, broker.ErrNotFound) {
		r, err = broker.Record{Kind: "task", Key: "counter", Rank: 1}, nil
	}
	if err != nil {
		return err
	}
	r.Rank++
	return tx.PutRecord(r)
}

// panicOf returns what fn panics with.
func panicOf(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

var viewCases = []testCase{
	{"one state", func(t *testing.T, s *store) {
		s.write(t, "q", "a")
		must(t, s.View(t.Context(), func(r broker.Reader) error {
			first, err := r.Messages("q", broker.Select{})
			if err != nil {
				return err
			}
			// What others write in the meantime is not in it.
			soon(t, "a write during the view", start(func() error {
				s.write(t, "q", "b")
				s.put(t, broker.Record{Kind: "task", Key: "t", Rank: 1})
				return nil
			}))
			second, err := r.Messages("q", broker.Select{})
			if err != nil {
				return err
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("messages changed (-first +second):\n%s", diff)
			}
			if _, err := r.Record("task", "t"); !errors.Is(err, broker.ErrNotFound) {
				t.Errorf("record that came later: %v", err)
			}
			names, err := r.Queues("", 10)
			if diff := cmp.Diff([]string{"q"}, names); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
			return err
		}))
		s.holds(t, "q", "a", "b")
	}},
	{"error and panic", func(t *testing.T, s *store) {
		// More often than there could be connections: none must stay away.
		for range 20 {
			if err := s.View(t.Context(), func(broker.Reader) error { return errRefused }); err != errRefused {
				t.Fatalf("view: error %v, want the function's own", err)
			}
			if v := panicOf(func() { s.View(t.Context(), func(broker.Reader) error { panic(errRefused) }) }); v != errRefused {
				t.Fatalf("panic with %v, want the function's own", v)
			}
		}
		s.write(t, "q", "x")
	}},
	{"empty store", func(t *testing.T, s *store) {
		must(t, s.View(t.Context(), func(r broker.Reader) error {
			names, err := r.Queues("", 10)
			if err != nil || len(names) > 0 {
				t.Errorf("queues %v, %v", names, err)
			}
			st, err := r.Stats("q")
			if want := (broker.Stats{Queue: "q"}); err != nil || st != want {
				t.Errorf("stats %+v, %v", st, err)
			}
			return nil
		}))
	}},
}
