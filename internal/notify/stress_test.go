package notify

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// follow reads the store of a listener until it has seen last.
func follow(t *testing.T, l *Listener, store *atomic.Int64, last int64) {
	t.Helper()
	for store.Load() != last {
		awaitNotified(t, l)
	}
}

// Two processes notify at about the time when the listener has read and goes to sleep
// again.
func TestNothingIsLostWhileTwoNotify(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, one, two := newNotifier(t, dir, nil), newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	l := listen(t, s, "a")
	for range 3000 {
		var store atomic.Int64
		var busy sync.WaitGroup
		for _, notifier := range []*Notifier{one, two} {
			busy.Go(func() {
				for range rand.IntN(2000) {
					// differs from round to round, up to the time that a read takes
				}
				store.Add(1)
				if err := notifier.Notify("a"); err != nil {
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
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
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
		busy.Go(func() { // the last listener of some channels, never of a's
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

// A notification that follows Add is received, whatever the goroutines of the Notifier do
// then.
func TestNothingIsLostAfterAdd(t *testing.T) {
	t.Parallel()
	for range 4 {
		dir := newFolder(t)
		s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
		l := listen(t, s)
		notified := make(map[int]bool)
		for i := 0; len(notified) < Channels; i++ {
			name := fmt.Sprint([]string{"q", ownPrefix}[i%2], i)
			if notified[Channel(name)] {
				continue // its channel may have an earlier notification
			}
			notified[Channel(name)] = true
			if err := l.Add(name); err != nil {
				t.Fatal(err)
			}
			notify(t, other, name)
			awaitNotified(t, l)
			l.Remove(name)
		}
	}
}

func TestManyProcessesNotify(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	var others []*process
	var listeners []*Listener
	for i := range 8 {
		others = append(others, startProcess(t, dir))
		listeners = append(listeners, listen(t, s, fmt.Sprint("q", i)))
	}
	for range 20 {
		for i, other := range others {
			other.notify(t, 0, fmt.Sprint("q", i))
		}
		for _, l := range listeners {
			awaitNotified(t, l)
		}
	}
}
