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

// A file of another kind has the name of a channel.
func TestRefusedChannelIsPolled(t *testing.T) {
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
			s := newNotifier(t, dir, func() (uint64, error) { return store.Load(), nil })
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
			awaitNotified(t, l) // notifications before the first poll
			for range 3 {
				store.Add(1)
				awaitNotified(t, l)
			}
			notify(t, s, "b") // no change that the poll can see
			awaitNotified(t, l)

			// A repair is noticed by the next first listener.
			l.Close()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			s.running.Wait() // the poll ends without listeners
			l = listen(t, s, "a")
			if got := s.Mode(); got != watcherName {
				t.Errorf("Mode = %q, want %s", got, watcherName)
			}
			notify(t, s, "a")
			awaitNotified(t, l)
		})
	}
}
