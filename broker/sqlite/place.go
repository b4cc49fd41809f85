package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"weft/broker"
)

// recheckInterval is the interval at which a store that is in use checks that its file is
// still where it was opened.
const recheckInterval = time.Second

// A place is the location of a store's file when the store was opened. Connections continue
// to work on a file that has been removed, and no process would ever read what they write.
type place struct {
	path    string
	file    fs.FileInfo
	folder  fs.FileInfo
	opened  time.Time
	checked atomic.Int64          // the time of the last check, after opened
	gone    atomic.Pointer[error] // permanent
}

func newPlace(path string) (*place, error) {
	file, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return &place{path: path, file: file, folder: folder, opened: time.Now()}, nil
}

// recheck is check, unless that was called within recheckInterval.
func (p *place) recheck() error {
	if gone := p.gone.Load(); gone != nil {
		return *gone
	}
	now, last := time.Since(p.opened), p.checked.Load()
	if now-time.Duration(last) < recheckInterval || !p.checked.CompareAndSwap(last, int64(now)) {
		return nil
	}
	return p.check()
}

// check returns [broker.ErrGone] if the file has been removed or replaced. If its folder
// has been moved, with everything in it, processes that have the file open continue to use
// it.
func (p *place) check() error {
	info, err := os.Lstat(p.path)
	what := "another file is in its place"
	switch {
	case err == nil && os.SameFile(info, p.file):
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		what = "it was removed"
	case err != nil:
		return nil // the error does not concern the file
	}
	if p.moved() {
		return nil
	}
	gone := fmt.Errorf("%w: %s: %s", broker.ErrGone, p.path, what)
	p.gone.Store(&gone)
	return gone
}

// find is check for opening the file: it must be where it was. If the folder has been
// moved, only processes that have the file open continue.
func (p *place) find() error {
	if err := p.check(); err != nil {
		return err
	}
	info, err := os.Lstat(p.path)
	switch {
	case err == nil && os.SameFile(info, p.file):
		return nil
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s was moved or removed", broker.ErrGone, p.path)
	}
	return nil // the error does not concern the file
}

// moved reports whether this process has the file open, and the file is in its folder under
// the folder's new name. The file is never opened.
func (p *place) moved() bool {
	const open = "/proc/self/fd"
	fds, err := os.ReadDir(open)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		info, err := os.Stat(filepath.Join(open, fd.Name()))
		if err != nil || !os.SameFile(info, p.file) {
			continue
		}
		name, err := os.Readlink(filepath.Join(open, fd.Name()))
		if err != nil {
			return false
		}
		// After removal the name ends with a remark.
		folder, err := os.Stat(filepath.Dir(name))
		return err == nil && os.SameFile(folder, p.folder) && filepath.Base(name) == Name && name != p.path
	}
	return false
}
