//go:build !fsnotify

package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const watcherName = "pipes"

// pipes is the watcher for Linux. A listener keeps the pipe of its channel open and waits
// until it is readable, but never reads it: the byte could be the notification of another
// process. With edge-triggered epoll, which Go's runtime uses, the kernel reports each
// write to all waiters, even while the pipe holds bytes of earlier writes.
//
// Two alternatives were measured. A process that has used inotify on ordinary files takes 5
// to 15 ms to exit. A futex wakes 15 us sooner, but needs Linux 5.16 for several channels,
// and a goroutine that waits for one occupies a processor until the scheduler notices: on
// two cores, one of them busy, timers were late by 3 ms and more (p50) in most runs, and by
// 18 ms (p90) in many.
type pipes struct {
	notifier *Notifier
	open     map[int]*pipe // by channel
	done     chan struct{} // close ends recheck
}

func newWatcher(s *Notifier) (watcher, error) {
	w := &pipes{notifier: s, open: make(map[int]*pipe), done: make(chan struct{})}
	s.running.Go(w.recheck)
	return w, nil
}

func (w *pipes) path(channel int) string { return filepath.Join(w.notifier.dir, fileName(channel)) }

func (w *pipes) add(channel int) error {
	if p := w.open[channel]; p != nil && p.isAt(w.path(channel)) {
		return nil
	}
	w.remove(channel)
	p, err := openPipe(w.path(channel))
	if err != nil {
		return fmt.Errorf("watch for notifications: %w", err)
	}
	w.open[channel] = p
	waits := make(chan struct{})
	w.notifier.running.Go(func() { w.wait(channel, p, waits) })
	<-waits // notifications before it waits are lost
	return nil
}

// wait closes waits once it waits, and passes each notification of a channel to the
// Notifier until remove ends it.
func (w *pipes) wait(channel int, p *pipe, waits chan<- struct{}) {
	defer p.file.Close()
	var notified channelSet
	notified.add(channel)
	waiting := false
	err := p.conn.Read(func(uintptr) bool {
		if waiting {
			w.notifier.onNotified(w, notified, channelSet{})
		} else {
			waiting = true
			close(waits)
		}
		return false // as if there were nothing to read yet
	})
	if !waiting {
		close(waits)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		w.notifier.fail(w, fmt.Errorf("watch for notifications: %w", err))
	}
}

func (w *pipes) remove(channel int) {
	if p := w.open[channel]; p != nil {
		delete(w.open, channel)
		// Closing it here would wait for wait, which may be waiting for the Notifier.
		_ = p.file.SetReadDeadline(time.Now()) // it cannot fail for an open pipe
	}
}

func (w *pipes) close() error {
	for channel := range w.open {
		w.remove(channel)
	}
	close(w.done)
	return nil
}

// recheck opens pipes again that are not in the folder any more. No event reports that one
// has been deleted.
func (w *pipes) recheck() {
	ticker := time.NewTicker(w.notifier.recheck)
	defer ticker.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-ticker.C:
			if !w.notifier.onNotified(w, channelSet{}, w.lost()) {
				return
			}
		}
	}
}

// lost returns the channels whose pipe has been deleted or replaced.
func (w *pipes) lost() channelSet {
	w.notifier.mu.Lock()
	defer w.notifier.mu.Unlock()
	var lost channelSet
	for channel, p := range w.open {
		if !p.isAt(w.path(channel)) {
			lost.add(channel)
		}
	}
	return lost
}
