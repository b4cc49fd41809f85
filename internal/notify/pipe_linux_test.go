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

// makeBell makes what stands for a bell.
func makeBell(path string) error { return unix.Mkfifo(path, 0o600) }

// inspect does what a Set does from time to time.
func inspect(s *Notifier) {
	s.mu.Lock()
	w, ok := s.watch.(*pipes)
	s.mu.Unlock()
	if ok {
		s.onNotified(w, channelSet{}, w.lost())
	}
}

// A pipe that is full of old rings still passes new ones on, to all. (Since Linux
// 5.14 it would even if no byte fits in, but that is written nowhere.)
func TestFullPipeIsHeard(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newSet(t, dir, nil), newSet(t, dir, nil)
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
		for range 10 { // the events of filling are old news at the end
			for _, l := range all {
				pending(l)
			}
			ring(t, other, "a")
			for _, l := range all {
				hears(t, l)
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

func TestRingWhileListenersComeAndGo(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newSet(t, dir, nil), newSet(t, dir, nil)
	done := make(chan struct{})
	var ringing sync.WaitGroup
	ringing.Go(func() {
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
		hears(t, l)
		l.Close()
	}
	close(done)
	ringing.Wait()
}

// Nothing but a pipe is listened to.
func TestRefusedFileIsPolled(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	if err := os.WriteFile(filepath.Join(dir, fileName(Channel("a"))), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, s, "a")
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") || !strings.Contains(got, "not a named pipe") {
		t.Errorf("Mode = %q, want poll because it is not a named pipe", got)
	}
	hears(t, l)
}

// A wait that fails is not the end of hearing.
func TestFailedWaitIsPolled(t *testing.T) {
	t.Parallel()
	s := newSet(t, newFolder(t), nil)
	l := listen(t, s, "a", "b")
	s.mu.Lock()
	p := s.watch.(*pipes).open[Channel("a")]
	s.mu.Unlock()
	p.file.Close()
	hears(t, l)
	if got := s.Mode(); !strings.HasPrefix(got, "poll: ") {
		t.Errorf("Mode = %q, want poll", got)
	}
}
