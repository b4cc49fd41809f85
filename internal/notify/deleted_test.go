package notify

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// harms are what others may do to the bell of a.
var harms = []struct {
	name string
	do   func(dir string) error
}{
	{"deleted", func(dir string) error { return os.Remove(filepath.Join(dir, fileName(Channel("a")))) }},
	{"replaced", func(dir string) error {
		bell, stranger := fileName(Channel("a")), filepath.Join(dir, "stranger")
		if err := makeBell(stranger); err != nil {
			return err
		}
		return os.Rename(stranger, filepath.Join(dir, bell))
	}},
	{"folder deleted", removeAll},
}

func TestDeletedBellsAreHeardAgain(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s, other := newSet(t, dir, nil), newSet(t, dir, nil)
			l := listen(t, s, "a")
			for range 10 {
				if err := harm.do(dir); err != nil {
					t.Fatal(err)
				}
				inspect(s)
				hears(t, l) // it may have been rung
				for range 3 {
					ring(t, other, "a")
					hears(t, l)
				}
			}
			if got := s.Mode(); got != watcherName {
				t.Errorf("Mode = %q, want %s", got, watcherName)
			}
		})
	}
}

// Without help too, and a ring for the new bell that came before is not lost.
func TestDeletionIsNoticedInTime(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	s.recheck = 50 * time.Millisecond
	l := listen(t, s, "a")
	if err := os.Remove(filepath.Join(dir, fileName(Channel("a")))); err != nil {
		t.Fatal(err)
	}
	other := newSet(t, dir, nil)
	listen(t, other, "a")
	ring(t, other, "a")
	hears(t, l)
}

// Whatever was deleted when, a ring that comes after the next look is heard.
func TestNothingIsLostAfterDeletions(t *testing.T) {
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
				busy.Go(func() { inspect(s) })
				busy.Go(func() {
					if err := other.Notify("a"); err != nil {
						t.Error(err)
					}
				})
				busy.Wait()
				inspect(s)
				for range 3 { // the first may be taken for what came before
					ring(t, other, "a")
					hears(t, l)
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
	inspect(s)
	hears(t, l)
	store.Add(1)
	hears(t, l)
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
		t.Errorf("Mode = %q, want poll", got)
	}
}

// removeAll is os.RemoveAll for a folder that listeners make again at once.
func removeAll(dir string) (err error) {
	for range 1000 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
	}
	return err
}
