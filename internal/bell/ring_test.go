package bell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRingCreatesOneFile(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	for range 2 {
		ring(t, s, "a", "b", "a", sharing("a"))
	}
	if diff := cmp.Diff([]string{fileName}, entries(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Size() != 512 {
		t.Errorf("mode %o, %d bytes; want 600 and 512", info.Mode().Perm(), info.Size())
	}
}

func TestRingChangesTheWordsOfItsBells(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	ring(t, s)
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOf(rapid.String()).Draw(rt, "names")
		before := contents(t, dir)
		ring(t, s, names...)
		after := contents(t, dir)
		var want bellSet
		for _, name := range names {
			want.add(Number(name))
		}
		for i := range wordCount {
			if got := after[i] != before[i]; got != want.has(i) {
				rt.Errorf("rang %q; word %d changed: %t", names, i, got)
			}
		}
	})
}

// contents gives the words as somebody else sees them.
func contents(t *testing.T, dir string) values {
	t.Helper()
	w, err := openWords(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	v, err := w.read()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What stands in the file's place is neither followed nor harmed.
func TestRingRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink(path+".precious", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			s := newSet(t, dir, nil)
			path := filepath.Join(dir, fileName)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			if err := s.Ring("a"); err == nil {
				t.Error("Ring succeeded")
			}
			if diff := cmp.Diff([]string{fileName}, entries(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}

			// Nor can anybody listen, until it is gone.
			l := listen(t, s, "a")
			if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
				t.Errorf("Mode = %q, want poll", got)
			}
			l.Close()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			s.running.Wait() // the poll ends because nobody listens
			l = listen(t, s, "a")
			if got := s.Mode(); got != watcherName {
				t.Errorf("Mode = %q, want %s", got, watcherName)
			}
			ring(t, s, "a")
			hears(t, l)
		})
	}
}

func TestRingWithoutProject(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ring("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Ring = %v, want fs.ErrNotExist", err)
	}
}

func TestRingFromManyGoroutines(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newSet(t, dir, nil), newSet(t, dir, nil)
	const n = 8
	var listeners []*Listener
	for i := range n {
		listeners = append(listeners, listen(t, s, fmt.Sprint("q", i)))
	}
	var ringing sync.WaitGroup
	for i := range n {
		for _, ringer := range []*Set{s, other} {
			ringing.Go(func() {
				for j := range 50 {
					if err := ringer.Ring(fmt.Sprint("q", i), fmt.Sprint("p", j)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	ringing.Wait()
	for _, l := range listeners {
		hears(t, l)
	}
}

func TestRingWhileClosing(t *testing.T) {
	t.Parallel()
	for range 10 {
		s := newSet(t, newFolder(t), nil)
		l := listen(t, s, "a")
		var ringing sync.WaitGroup
		for range 4 {
			ringing.Go(func() {
				for {
					if err := s.Ring("a", "b"); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		hears(t, l)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		ringing.Wait()
	}
}
