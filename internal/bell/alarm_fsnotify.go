//go:build !linux || fsnotify

package bell

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fsnotify/fsnotify"
)

const watcherName = "fsnotify"

// alarm waits until somebody writes to the file, on systems other than Linux.
// (The build tag fsnotify selects it on Linux too, so that it can be tested there.)
type alarm struct {
	notify *fsnotify.Watcher
	woken  chan struct{}
	armed  *words
	on     *words // the file that is watched
}

func newAlarm(*board) (*alarm, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch bells: %w", err)
	}
	return &alarm{notify: notify, woken: make(chan struct{}, 1)}, nil
}

// arm sets what the next sleep waits for: a change of w, or a wake.
func (a *alarm) arm(w *words, _ *bellSet, _ *values) { a.armed = w }

// sleep blocks until what arm has set, or for lookAgain. If it has to begin
// watching it returns at once, because rings that came before are in the words only.
// It reports whether the file may not be the one in the folder any more.
func (a *alarm) sleep() (inDoubt bool, err error) {
	if a.on != a.armed {
		_ = a.notify.Remove(a.armed.path) // it fails if there was no file before, or it is gone
		switch err := a.notify.Add(a.armed.path); {
		case err == nil:
			a.on = a.armed
		case !errors.Is(err, fs.ErrNotExist): // for that the look will make a new file
			return false, fmt.Errorf("watch bells: %w", err)
		}
		return true, nil
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	var event fsnotify.Event
	open := true
	select {
	case event, open = <-a.notify.Events:
	case _, open = <-a.notify.Errors: // an overflow, or a watch that failed
	case <-a.woken:
		return false, nil
	case <-timer.C:
	}
	if !open {
		return false, errors.New("watch bells: the watcher has ended")
	}
	return event.Op != fsnotify.Write, nil
}

// wake ends the sleep, or if there is none the next one.
func (a *alarm) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

func (a *alarm) close() { _ = a.notify.Close() } // nobody can do anything about it
