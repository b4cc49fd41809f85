//go:build !linux || fsnotify

package bell

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

// portable is the watcher for systems other than Linux. (The build tag fsnotify
// selects it on Linux too, so that it can be tested there.)
type portable struct {
	set    *Set
	notify *fsnotify.Watcher
	gather sync.WaitGroup
	ready  chan struct{} // take has something to give

	mu         sync.Mutex
	rung, lost bellSet
}

func newWatcher(s *Set) (watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch bells: %w", err)
	}
	w := &portable{set: s, notify: notify, ready: make(chan struct{}, 1)}
	w.gather.Go(w.collect)
	s.running.Go(w.run)
	return w, nil
}

// collect takes fsnotify's events from it at once. It must never wait for
// Set.mu: its holder may be inside add, which fsnotify can hold up until its
// events are taken.
func (w *portable) collect() {
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

func (w *portable) note(event fsnotify.Event) {
	bell, ok := bellNumber(event.Name)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.Has(fsnotify.Write) {
		w.rung.add(bell)
	}
	if event.Op != fsnotify.Write {
		w.lost.add(bell)
	}
}

// bellNumber is the inverse of fileName, for a path.
func bellNumber(path string) (int, bool) {
	n, err := strconv.ParseUint(filepath.Base(path), 16, 8)
	return int(n), err == nil
}

func (w *portable) noteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for bell := range Count {
		w.lost.add(bell)
	}
}

func (w *portable) add(bell int) error {
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

func (w *portable) remove(bell int) {
	// It fails only if the file, and the watch with it, is gone already.
	w.notify.Remove(filepath.Join(w.set.dir, fileName(bell)))
}

// run carries what was collected to the Set.
func (w *portable) run() {
	for range w.ready {
		rung, lost := w.take()
		if !w.set.heard(w, rung, lost) {
			return
		}
	}
	w.set.fail(w, errors.New("watch bells: the watcher has ended"))
}

// take gives the bells that were rung since the last take, and those whose file
// may not be there any more.
func (w *portable) take() (rung, lost bellSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rung, lost = w.rung, w.lost
	w.rung, w.lost = bellSet{}, bellSet{}
	return rung, lost
}

func (w *portable) close() error {
	err := w.notify.Close()
	w.gather.Wait()
	if err != nil {
		return fmt.Errorf("close watcher: %w", err)
	}
	return nil
}
