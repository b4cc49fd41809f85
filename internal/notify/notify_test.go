package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotifyWithoutListenersLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	notify(t, s, "a", "b")
	if got := entries(t, dir); len(got) != 0 {
		t.Errorf("the folder holds %v", got)
	}
	listen(t, s, "a").Close()
	notify(t, s, "a") // no process has it open any more
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	notify(t, s, "a")
}

func TestListenCreatesEachFileOnce(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	for range 2 {
		listen(t, s, "a", "b", "a", sharing("a"))
		listen(t, other, "b")
	}
	want := []string{fileName(Channel("a")), fileName(Channel("b"))}
	slices.Sort(want)
	if diff := cmp.Diff(want, entries(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, name := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %o, want 600", name, info.Mode().Perm())
		}
	}
}

func TestNotifyReportsEveryFailure(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	target := filepath.Join(filepath.Dir(dir), "precious")
	for _, name := range []string{"a", "b"} { // links in place of two of the three bells
		if err := os.Symlink(target, filepath.Join(dir, fileName(Channel(name)))); err != nil {
			t.Fatal(err)
		}
	}
	l := listen(t, s, "c")
	err := s.Notify("a", "b", "c")
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("Notify = %v, want two errors", err)
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link's target was made: %v", err)
	}
	awaitNotified(t, l)
}

func TestNotifyFromManyGoroutines(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	const n = 8
	var listeners []*Listener
	for i := range n {
		listeners = append(listeners, listen(t, s, fmt.Sprint("q", i)))
	}
	var notifying sync.WaitGroup
	for i := range n {
		for _, notifier := range []*Notifier{s, other} {
			notifying.Go(func() {
				for j := range 50 {
					if err := notifier.Notify(fmt.Sprint("q", i), fmt.Sprint("p", j)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	notifying.Wait()
	for _, l := range listeners {
		awaitNotified(t, l)
	}
}

func TestNotifyWhileClosing(t *testing.T) {
	t.Parallel()
	for range 10 {
		s := newNotifier(t, newFolder(t), nil)
		l := listen(t, s, "a")
		var notifying sync.WaitGroup
		for range 4 {
			notifying.Go(func() {
				for {
					if err := s.Notify("a", "b"); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		awaitNotified(t, l)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		notifying.Wait()
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for channel := range Channels {
		name := fileName(channel)
		if want := fmt.Sprintf("%02x", channel); name != want {
			t.Errorf("fileName(%d) = %q, want %q", channel, name, want)
		}
	}
}

// Many channels are notified in the background, and before Close returns.
func TestNotifyMany(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("q", i))
	}
	var all []*Listener
	for _, name := range names {
		all = append(all, listen(t, other, name))
	}
	notify(t, s, names...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		awaitNotified(t, l)
	}
	if err := s.Notify(names...); !errors.Is(err, ErrClosed) {
		t.Errorf("Notify after Close = %v, want ErrClosed", err)
	}
}
