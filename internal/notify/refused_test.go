package notify

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Something else stands where a bell has to be.
func TestRefusedBellIsPolled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		put    func(path string) error
		reason string
	}{
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		{"link", func(path string) error { return os.Symlink(path+".target", path) }, "symbolic link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := newFolder(t)
			var store atomic.Uint64
			s := newSet(t, dir, func() (uint64, error) { return store.Load(), nil })
			l := listen(t, s, "b") // which can be watched
			if got := s.Mode(); got != watcherName {
				t.Fatalf("Mode = %q, want %s", got, watcherName)
			}
			path := filepath.Join(dir, fileName(Channel("a")))
			if err := tt.put(path); err != nil {
				t.Fatal(err)
			}
			if err := l.Add("a"); err != nil {
				t.Fatal(err)
			}
			if got := s.Mode(); !strings.HasPrefix(got, "poll: ") || !strings.Contains(got, tt.reason) {
				t.Errorf("Mode = %q, want poll because it %s", got, tt.reason)
			}
			if _, err := os.Stat(path + ".target"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the link's target was made: %v", err)
			}
			hears(t, l) // what came before the first poll
			for range 3 {
				store.Add(1)
				hears(t, l)
			}
			ring(t, s, "b") // no change that the poll can see
			hears(t, l)

			// What is mended is noticed by the next first listener.
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
