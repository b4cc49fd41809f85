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

// fsWatcher is the watcher for systems other than Linux. (The build tag fsnotify
// selects it on Linux too, so that it can be tested there.)
type fsWatcher struct {
	set    *Notifier
	notify *fsnotify.Watcher
	gather sync.WaitGroup
	ready  chan struct{} // take has something to give

	mu             sync.Mutex
	notified, lost channelSet
}

func newWatcher(s *Notifier) (watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch bells: %w", err)
	}
	w := &fsWatcher{set: s, notify: notify, ready: make(chan struct{}, 1)}
	w.gather.Go(w.collect)
	s.running.Go(w.run)
	return w, nil
}

// collect takes fsnotify's events from it at once. It must never wait for
// Set.mu: its holder may be inside add, which fsnotify can hold up until its
// events are taken.
func (w *fsWatcher) collect() {
	defer close(w.ready)
	events, failures := w.notify.Events, w.notify.Errors
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
			w.noteAll() // an overflow, or a watch that has failed: any bell
		}
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
}

func (w *fsWatcher) note(event fsnotify.Event) {
	bell, ok := channelOf(event.Name)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.Has(fsnotify.Write) {
		w.notified.add(bell)
	}
	if event.Op != fsnotify.Write {
		w.lost.add(bell)
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
	for bell := range Channels {
		w.lost.add(bell)
	}
}

func (w *fsWatcher) add(bell int) error {
	path := filepath.Join(w.set.dir, fileName(bell))
	w.remove(bell) // a watch on a deleted file of this name would be taken for the new one's
	var err error
	for range tries {
		if err = createFile(path); err != nil {
			break
		}
		if err = w.notify.Add(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("watch bell: %w", err)
	}
	return nil
}

func (w *fsWatcher) remove(bell int) {
	// It fails only if the file, and the watch with it, is gone already.
	w.notify.Remove(filepath.Join(w.set.dir, fileName(bell)))
}

// run carries what was collected to the Set.
func (w *fsWatcher) run() {
	for range w.ready {
		rung, lost := w.take()
		if !w.set.onNotified(w, rung, lost) {
			return
		}
	}
	w.set.fail(w, errors.New("watch bells: the watcher has ended"))
}

// take gives the bells that were rung since the last take, and those whose file
// may not be there any more.
func (w *fsWatcher) take() (rung, lost channelSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rung, lost = w.notified, w.lost
	w.notified, w.lost = channelSet{}, channelSet{}
	return rung, lost
}

func (w *fsWatcher) close() error {
	err := w.notify.Close()
	w.gather.Wait()
	if err != nil {
		return fmt.Errorf("close watcher: %w", err)
	}
	return nil
}
