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

// harms are what another process may do to the channel of a.
var harms = []struct {
	name string
	do   func(dir string) error
}{
	{"deleted", func(dir string) error { return os.Remove(filepath.Join(dir, fileName(Channel("a")))) }},
	{"replaced", func(dir string) error {
		channel, stranger := fileName(Channel("a")), filepath.Join(dir, "stranger")
		if err := makeFile(stranger); err != nil {
			return err
		}
		return os.Rename(stranger, filepath.Join(dir, channel))
	}},
	{"folder deleted", removeAll},
}

func TestDeletedChannelsAreWatchedAgain(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
			l := listen(t, s, "a")
			for range 10 {
				if err := harm.do(dir); err != nil {
					t.Fatal(err)
				}
				recheck(s)
				awaitNotified(t, l) // it may have been notified
				for range 3 {
					notify(t, other, "a")
					awaitNotified(t, l)
				}
			}
			if got := s.Mode(); got != watcherName {
				t.Errorf("Mode = %q, want %s", got, watcherName)
			}
		})
	}
}

// Deletion is noticed without help, and an earlier notification of the new file is not
// lost.
func TestDeletionIsNoticedInTime(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	s.recheck = 50 * time.Millisecond
	l := listen(t, s, "a")
	if err := os.Remove(filepath.Join(dir, fileName(Channel("a")))); err != nil {
		t.Fatal(err)
	}
	other := newNotifier(t, dir, nil)
	listen(t, other, "a")
	notify(t, other, "a")
	awaitNotified(t, l)
}

// Whatever was deleted when, a notification after the next check is received.
func TestNothingIsLostAfterDeletions(t *testing.T) {
	t.Parallel()
	for _, harm := range harms {
		t.Run(harm.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
			l := listen(t, s, "a")
			for range 100 {
				var busy sync.WaitGroup
				busy.Go(func() { _ = harm.do(dir) }) // it may be missing at that time
				busy.Go(func() { recheck(s) })
				busy.Go(func() {
					if err := other.Notify("a"); err != nil {
						t.Error(err)
					}
				})
				busy.Wait()
				recheck(s)
				for range 3 { // the first may be an earlier one
					notify(t, other, "a")
					awaitNotified(t, l)
				}
			}
		})
	}
}

// Without the project nothing can be watched; the listener must not just sleep.
func TestDeletedProjectIsPolled(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	var store atomic.Uint64
	s := newNotifier(t, dir, func() (uint64, error) { return store.Load(), nil })
	l := listen(t, s, "a")
	if err := removeAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	recheck(s)
	awaitNotified(t, l)
	store.Add(1)
	awaitNotified(t, l)
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
		t.Errorf("Mode = %q, want poll", got)
	}
}

// removeAll is os.RemoveAll for a folder that listeners create again at once.
func removeAll(dir string) (err error) {
	for range 1000 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
	}
	return err
}
