//go:build !linux || fsnotify

package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/fsnotify/fsnotify"
)

const watcherName = "fsnotify"

// fsWatcher is the watcher for systems other than Linux. (The build tag fsnotify selects it
// on Linux too, so that it can be tested there.)
type fsWatcher struct {
	notifier *Notifier
	files    *fsnotify.Watcher
	gather   sync.WaitGroup
	ready    chan struct{} // take has something to return

	mu             sync.Mutex
	notified, lost channelSet
}

func newWatcher(s *Notifier) (watcher, error) {
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch bells: %w", err)
	}
	w := &fsWatcher{notifier: s, files: files, ready: make(chan struct{}, 1)}
	w.gather.Go(w.collect)
	s.running.Go(w.run)
	return w, nil
}

// collect receives fsnotify's events at once. It must never wait for Notifier.mu: its
// holder may be inside add, which fsnotify can block until its events are received.
func (w *fsWatcher) collect() {
	defer close(w.ready)
	events, failures := w.files.Events, w.files.Errors
	for {
		select {
		case event, ok := <-events:
			if !ok {
				return
			}
			w.note(event)
		case _, ok := <-failures:
			if !ok {
				return
			}
			w.noteAll() // an overflow, or a watch that has failed: any channel
		}
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
}

func (w *fsWatcher) note(event fsnotify.Event) {
	channel, ok := channelOf(event.Name)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.Has(fsnotify.Write) {
		w.notified.add(channel)
	}
	if event.Op != fsnotify.Write {
		w.lost.add(channel)
	}
}

// channelOf is the inverse of fileName, for a path.
func channelOf(path string) (int, bool) {
	n, err := strconv.ParseUint(filepath.Base(path), 16, 8)
	return int(n), err == nil
}

func (w *fsWatcher) noteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for channel := range Channels {
		w.lost.add(channel)
	}
}

func (w *fsWatcher) add(channel int) error {
	path := filepath.Join(w.notifier.dir, fileName(channel))
	w.remove(channel) // a watch on a deleted file of this name would be taken for the new file's
	var err error
	for range tries {
		if err = createFile(path); err != nil {
			break
		}
		if err = w.files.Add(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("watch for notifications: %w", err)
	}
	return nil
}

func (w *fsWatcher) remove(channel int) {
	// It fails only if the file, and the watch with it, is gone already.
	w.files.Remove(filepath.Join(w.notifier.dir, fileName(channel)))
}

// run passes what was collected to the Notifier.
func (w *fsWatcher) run() {
	for range w.ready {
		notified, lost := w.take()
		if !w.notifier.onNotified(w, notified, lost) {
			return
		}
	}
	w.notifier.fail(w, errors.New("watch bells: the watcher has ended"))
}

// take returns the channels that were notified since the last take, and those whose file
// may be gone.
func (w *fsWatcher) take() (notified, lost channelSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	notified, lost = w.notified, w.lost
	w.notified, w.lost = channelSet{}, channelSet{}
	return notified, lost
}

func (w *fsWatcher) close() error {
	err := w.files.Close()
	w.gather.Wait()
	if err != nil {
		return fmt.Errorf("close watcher: %w", err)
	}
	return nil
}
