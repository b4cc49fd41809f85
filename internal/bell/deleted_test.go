package bell

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// harms are what others may do to the file.
var harms = []struct {
	name string
	do   func(dir string) error
}{
	{"deleted", func(dir string) error { return os.Remove(filepath.Join(dir, fileName)) }},
	{"replaced", func(dir string) error {
		stranger := filepath.Join(dir, "stranger")
		if err := os.WriteFile(stranger, nil, 0o600); err != nil {
			return err
		}
		return os.Rename(stranger, filepath.Join(dir, fileName))
	}},
	{"folder deleted", removeAll},
	{"emptied", func(dir string) error { return os.Truncate(filepath.Join(dir, fileName), 0) }},
	{"cut off", func(dir string) error { return os.Truncate(filepath.Join(dir, fileName), 2) }},
}

// Who has used the file before and rings brings all who listen to the new one.
func TestRingAfterHarmIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s, other := newSet(t, dir, nil), newSet(t, dir, nil)
			a, b := listen(t, s, "a"), listen(t, s, "b")
			ring(t, other, "a", "b")
			for range 10 {
				hears(t, a)
				hears(t, b)
				fence(t, s)
				if err := harm.do(dir); err != nil {
					t.Fatal(err)
				}
				ring(t, other, "a") // all who listen hear that something was wrong
			}
			hears(t, a)
			if got := s.Mode(); got != watcherName {
				t.Errorf("Mode = %q, want %s", got, watcherName)
			}
		})
	}
}

// A look finds the new file, and a ring there from before the look.
func TestLookAfterHarmTells(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s := newSet(t, dir, nil)
			l := listen(t, s, "a")
			for range 10 {
				if err := harm.do(dir); err != nil {
					t.Fatal(err)
				}
				ring(t, newSet(t, dir, nil), "a")
				fence(t, s) // its Listen makes the Set look
				if !pending(l) {
					t.Fatal("the ring was not heard", s.Mode())
				}
			}
		})
	}
}

// A stranger to the old file cannot wake those who sleep on it, so they look.
func TestHarmIsNoticedInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes lookAgain")
	}
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	l := listen(t, s, "a")
	fence(t, s)
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	ring(t, newSet(t, dir, nil), "a")
	select {
	case <-l.C():
	case <-time.After(lookAgain + 5*time.Second):
		t.Error("the ring on the new file was not heard")
	}
}

// The ring after the last change is not lost, whoever deletes what in between.
func TestNothingIsLostWhileFilesAreHarmed(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s, other := newSet(t, dir, nil), newSet(t, dir, nil)
			l := listen(t, s, "a")
			for range 100 {
				var busy sync.WaitGroup
				busy.Go(func() { _ = harm.do(dir) }) // it may be missing at that moment
				busy.Go(func() {
					if err := other.Ring("a"); err != nil {
						t.Error(err)
					}
				})
				busy.Wait()
				fence(t, s) // instead of waiting for the next look
				if !pending(l) {
					t.Fatal("the ring was not heard", s.Mode())
				}
			}
		})
	}
}

// With the project gone nothing can be watched; the listener must not just sleep.
func TestDeletedProjectIsPolled(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	var store atomic.Uint64
	s := newSet(t, dir, func() (uint64, error) { return store.Load(), nil })
	l := listen(t, s, "a")
	if err := removeAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	listen(t, s, "b")
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
		t.Errorf("Mode = %q, want poll", got)
	}
	hears(t, l)
	store.Add(1)
	hears(t, l)
}

// removeAll is os.RemoveAll for a folder that others make again at once.
func removeAll(dir string) (err error) {
	for range 1000 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
	}
	return err
}
