//go:build !fsnotify

package notify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// makeFile makes the file of a channel.
func makeFile(path string) error { return unix.Mkfifo(path, 0o600) }

// recheck does what a Notifier does periodically.
func recheck(s *Notifier) {
	s.mu.Lock()
	w, ok := s.watch.(*pipes)
	s.mu.Unlock()
	if ok {
		s.onNotified(w, channelSet{}, w.lost())
	}
}

// A pipe that is full of old notifications still passes new ones to all listeners. (Since
// Linux 5.14 it would even if no byte fits in, but that is not documented.)
func TestFullPipeNotifies(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	all := []*Listener{listen(t, s, "a"), listen(t, other, "a")}
	fd, err := unix.Open(filepath.Join(dir, fileName(Channel("a"))), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	fill := func(size int) {
		t.Helper()
		var err error
		for err == nil {
			_, err = unix.Write(fd, make([]byte, size))
		}
		if !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
	}
	for range 3 {
		fill(4096)
		fill(1)
		full := bytesIn(t, fd)
		for range 10 { // the events of filling have been received at the end
			for _, l := range all {
				pending(l)
			}
			notify(t, other, "a")
			for _, l := range all {
				awaitNotified(t, l)
			}
		}
		if got, want := bytesIn(t, fd), full-4096+10; got != want {
			t.Errorf("the pipe holds %d bytes, want %d", got, want)
		}
	}
}

func bytesIn(t *testing.T, pipe int) int {
	t.Helper()
	n, err := unix.IoctlGetInt(pipe, unix.TIOCINQ) // FIONREAD by its other name
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNotifyWhileListenersComeAndGo(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	done := make(chan struct{})
	var notifying sync.WaitGroup
	notifying.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if err := other.Notify("a"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 300 {
		l := listen(t, s, "a")
		awaitNotified(t, l)
		l.Close()
	}
	close(done)
	notifying.Wait()
}

// Only pipes are watched.
func TestRefusedFileIsPolled(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	if err := os.WriteFile(filepath.Join(dir, fileName(Channel("a"))), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, s, "a")
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") || !strings.Contains(got, "not a named pipe") {
		t.Errorf("Mode = %q, want poll because it is not a named pipe", got)
	}
	awaitNotified(t, l)
}

// After a wait that fails the Notifier polls.
func TestFailedWaitIsPolled(t *testing.T) {
	t.Parallel()
	s := newNotifier(t, newFolder(t), nil)
	l := listen(t, s, "a", "b")
	s.mu.Lock()
	p := s.watch.(*pipes).open[Channel("a")]
	s.mu.Unlock()
	p.file.Close()
	awaitNotified(t, l)
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
		t.Errorf("Mode = %q, want poll", got)
	}
}
