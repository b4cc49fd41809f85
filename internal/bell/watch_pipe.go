//go:build linux && !fsnotify

package bell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const watcherName = "pipes"

// lookAgain is how often a Set looks whether its pipes are still those in the
// folder, because nothing tells it that somebody has deleted one.
const lookAgain = 5 * time.Second

// pipes is the watcher for Linux. A bell is a named pipe; whoever listens keeps
// it open, and waits for it as for a network connection, but never reads it. The
// kernel reports each write to all who wait (EPOLLET), also while the pipe holds
// bytes of earlier ones. To read them would keep them from the others.
//
// Two other ways lead to the same: inotify on ordinary files, but a process that
// has used it needs 5 to 15 ms to exit; and futexes in a shared file, but a
// goroutine that waits for one keeps its processor until the scheduler notices,
// and while the other one was busy the rest of the process stood still for 4 ms
// at a time, up to 20.
type pipes struct {
	set  *Set
	open map[int]*pipe // by bell
}

// pipe is a bell that a Set listens to.
type pipe struct {
	file *os.File
	info os.FileInfo
}

func newWatcher(s *Set) (watcher, error) {
	w := &pipes{set: s, open: make(map[int]*pipe)}
	s.running.Go(w.inspect)
	return w, nil
}

func (w *pipes) add(bell int) error {
	path := filepath.Join(w.set.dir, fileName(bell))
	if p := w.open[bell]; p != nil {
		if p.isAt(path) {
			return nil
		}
		w.remove(bell)
	}
	p, err := openPipe(path)
	if err != nil {
		return fmt.Errorf("watch bell: %w", err)
	}
	w.open[bell] = p
	waits := make(chan struct{})
	w.set.running.Go(func() { w.wait(bell, p, func() { close(waits) }) })
	<-waits // a ring that comes from now on is heard
	return nil
}

// wait carries each ring of a bell to the Set, until the pipe's deadline is set.
// It calls began once it waits.
func (w *pipes) wait(bell int, p *pipe, began func()) {
	defer p.file.Close()
	var rung bellSet
	rung.add(bell)
	conn, err := p.file.SyscallConn()
	if err == nil {
		err = conn.Read(func(uintptr) bool {
			if began != nil {
				began()
				began = nil
			} else {
				w.set.heard(w, rung, bellSet{})
			}
			return false // there is always more to come
		})
	}
	if began != nil {
		began()
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		w.set.fail(w, fmt.Errorf("watch bell: %w", err))
	}
}

func (w *pipes) remove(bell int) {
	if p := w.open[bell]; p != nil {
		delete(w.open, bell)
		p.file.SetReadDeadline(time.Now()) // ends wait, which closes it
	}
}

func (w *pipes) close() error {
	for bell := range w.open {
		w.remove(bell)
	}
	return nil
}

// inspect has those pipes opened again that are not in the folder any more.
func (w *pipes) inspect() {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-w.set.done:
			return
		case <-ticker.C:
			if !w.set.heard(w, bellSet{}, w.lost()) {
				return
			}
		}
	}
}

// lost gives the bells whose pipe somebody has deleted or replaced.
func (w *pipes) lost() bellSet {
	w.set.mu.Lock()
	defer w.set.mu.Unlock()
	var lost bellSet
	for bell, p := range w.open {
		if !p.isAt(filepath.Join(w.set.dir, fileName(bell))) {
			lost.add(bell)
		}
	}
	return lost
}

// isAt reports whether the pipe is the one at path.
func (p *pipe) isAt(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, p.info)
}
