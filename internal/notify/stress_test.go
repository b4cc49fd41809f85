package notify

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// follow reads what a listener is there for, a store, until it has seen last.
func follow(t *testing.T, l *Listener, store *atomic.Int64, last int64) {
	t.Helper()
	for store.Load() != last {
		hears(t, l)
	}
}

// Two ring at about the time when the listener looks and goes to sleep again.
func TestNothingIsLostWhileTwoRing(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, one, two := newSet(t, dir, nil), newSet(t, dir, nil), newSet(t, dir, nil)
	l := listen(t, s, "a")
	for range 3000 {
		var store atomic.Int64
		var busy sync.WaitGroup
		for _, ringer := range []*Notifier{one, two} {
			busy.Go(func() {
				for range rand.IntN(2000) {
					// differs from round to round, up to the time that a look takes
				}
				store.Add(1)
				if err := ringer.Notify("a"); err != nil {
					t.Error(err)
				}
			})
		}
		follow(t, l, &store, 2)
		busy.Wait()
	}
}

func TestNothingIsLostWhileNamesComeAndGo(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newSet(t, dir, nil), newSet(t, dir, nil)
	l := listen(t, s, "a")
	var store atomic.Int64
	const last = 500
	var busy sync.WaitGroup
	busy.Go(func() {
		for range last {
			store.Add(1)
			if err := other.Notify("a"); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		busy.Go(func() { // the last ear of some bells, never of a's
			own, err := s.Listen()
			if err != nil {
				t.Error(err)
				return
			}
			for store.Load() != last {
				if err := own.Add("a", sharing("a"), "b"); err != nil {
					t.Error(err)
				}
				own.Remove("b", "a")
			}
			own.Close()
		})
	}
	follow(t, l, &store, last)
	busy.Wait()
}

// A ring that follows Add is heard, whatever the goroutines of the Set do then.
func TestNothingIsLostAfterAdd(t *testing.T) {
	t.Parallel()
	for range 4 {
		dir := newFolder(t)
		s, other := newSet(t, dir, nil), newSet(t, dir, nil)
		l := listen(t, s)
		rung := make(map[int]bool)
		for i := 0; len(rung) < Channels; i++ {
			name := fmt.Sprint([]string{"q", ownPrefix}[i%2], i)
			if rung[Channel(name)] {
				continue // its bell may be heard for what came before
			}
			rung[Channel(name)] = true
			if err := l.Add(name); err != nil {
				t.Fatal(err)
			}
			ring(t, other, name)
			hears(t, l)
			l.Remove(name)
		}
	}
}

func TestManyProcessesRing(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	var others []*ringer
	var listeners []*Listener
	for i := range 8 {
		others = append(others, startRinger(t, dir))
		listeners = append(listeners, listen(t, s, fmt.Sprint("q", i)))
	}
	for range 20 {
		for i, other := range others {
			other.ring(t, 0, fmt.Sprint("q", i))
		}
		for _, l := range listeners {
			hears(t, l)
		}
	}
}
