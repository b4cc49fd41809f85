package brokertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"weft/broker"
)

var idCases = []testCase{
	{"returned id is the stored one", func(t *testing.T, s *store) {
		want := s.write(t, "q", "a", "b", "c")
		if got := ids(s.messages(t, "q")); !slices.Equal(got, want) {
			t.Errorf("stored ids %v, returned %v", got, want)
		}
	}},
	{"id is the time to the grain", func(t *testing.T, s *store) {
		id := s.write(t, "q", "a")[0]
		if id != broker.IDAt(epoch) {
			t.Errorf("first id %v, want that of the clock, %v", id, broker.IDAt(epoch))
		}
		if got := epoch.Sub(id.Time()); got < 0 || got >= broker.Grain {
			t.Errorf("id's time is %v before the clock's", got)
		}
		s.clock.Set(epoch.Add(time.Second))
		if id := s.write(t, "q", "b")[0]; id != broker.IDAt(epoch.Add(time.Second)) {
			t.Errorf("second id %v, want that of the clock, %v", id, broker.IDAt(epoch.Add(time.Second)))
		}
	}},
	{"full grain continues in the next", func(t *testing.T, s *store) {
		first := broker.IDAt(epoch)
		for i, id := range s.fill(t, "q", broker.Grain+10) {
			if id != first+broker.ID(i) {
				t.Fatalf("id %d is %v, want %v", i, id, first+broker.ID(i))
			}
		}
		// The clock reaches the grain that was begun early.
		s.clock.Set(epoch.Add(broker.Grain))
		if id := s.write(t, "q", "x")[0]; id != first+broker.Grain+10 {
			t.Errorf("id after the overflow is %v, want %v", id, first+broker.Grain+10)
		}
	}},
	{"an id without a message is not given again", func(t *testing.T, s *store) {
		var last broker.ID
		rises := func(what string, id broker.ID) {
			t.Helper()
			if id <= last {
				t.Errorf("%s has id %v after %v", what, id, last)
			}
			last = id
		}
		for range 2 {
			s.update(t, func(tx *broker.Tx) error {
				id, err := tx.NewID()
				rises("nothing", id)
				return err
			})
			s.clock.Set(epoch.Add(-time.Hour))
			s.update(t, func(tx *broker.Tx) error {
				id, err := tx.Write("q", "a")
				rises("the next message", id)
				if err != nil {
					return err
				}
				id, err = tx.NewID()
				rises("nothing after a message", id)
				return err
			})
			rises("a message alone", s.write(t, "q", "b")[0])
		}
	}},
	{"clock steps", func(t *testing.T, s *store) {
		steps := []time.Time{
			epoch.Add(-time.Hour),
			epoch.Add(time.Hour),
			epoch.AddDate(-10, 0, 0),
			time.Unix(0, 0),
			time.Unix(-1, 0),
			epoch.AddDate(10, 0, 0),
			time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC), // 32 bits of seconds are used up
			epoch,
		}
		var last broker.ID
		for _, now := range steps {
			s.clock.Set(now)
			for _, id := range append(s.write(t, "q", "one"), s.fill(t, "q", 3)...) {
				if id <= last {
					t.Errorf("clock at %v: id %v after %v", now, id, last)
				}
				last = id
			}
		}
	}},
	{"clock steps back and the queue is empty", func(t *testing.T, s *store) {
		var last broker.ID
		for hours := range 4 {
			s.clock.Set(epoch.Add(-time.Duration(hours) * time.Hour))
			id := s.write(t, "q", "x")[0]
			if id <= last {
				t.Errorf("id %v after %v", id, last)
			}
			last = id
			// Nothing remains that could remind the store of the id.
			if hours%2 == 0 {
				_, err := s.Queue("q").Read(context.Background())
				must(t, err)
			} else {
				_, err := s.Queue("q").Delete(context.Background(), broker.Select{})
				must(t, err)
			}
			s.reopen(t)
		}
	}},
	{"rolled back ids hurt nobody", func(t *testing.T, s *store) {
		a := s.write(t, "q", "a")[0]
		err := s.Update(context.Background(), func(tx *broker.Tx) error {
			if _, err := tx.Write("q", "never"); err != nil {
				return err
			}
			return errRefused
		})
		wants(t, "update", err, errRefused)
		if b := s.write(t, "q", "b")[0]; b <= a {
			t.Errorf("id %v after %v", b, a)
		}
		s.holds(t, "q", "a", "b")
	}},
	{"written and read in one transaction", func(t *testing.T, s *store) {
		var inside broker.ID
		s.update(t, func(tx *broker.Tx) (err error) {
			if inside, err = tx.Write("q", "x"); err != nil {
				return err
			}
			_, err = tx.Read("q", broker.Select{})
			return err
		})
		if next := s.write(t, "q", "y")[0]; next <= inside {
			t.Errorf("id %v was given and gone; the next is %v", inside, next)
		}
	}},
}
