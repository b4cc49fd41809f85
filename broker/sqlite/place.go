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

// lookEvery is how often a store that is used makes sure that its file is still
// where it was opened.
const lookEvery = time.Second

// A place is where a store's file was when the store was opened. Connections go
// on to work on a file that has been removed, and nobody would ever read what
// they write.
type place struct {
	path   string
	file   fs.FileInfo
	folder fs.FileInfo
	opened time.Time
	looked atomic.Int64          // after opened
	gone   atomic.Pointer[error] // for ever
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

// look is check where that was not asked just now.
func (p *place) look() error {
	if gone := p.gone.Load(); gone != nil {
		return *gone
	}
	now, last := time.Since(p.opened), p.looked.Load()
	if now-time.Duration(last) < lookEvery || !p.looked.CompareAndSwap(last, int64(now)) {
		return nil
	}
	return p.check()
}

// check returns [broker.ErrGone] if the file has been removed or another one is
// in its place. One whose folder has been moved, with all that is in it, is used on
// by those who have it open.
func (p *place) check() error {
	info, err := os.Lstat(p.path)
	what := "another file is in its place"
	switch {
	case err == nil && os.SameFile(info, p.file):
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		what = "it was removed"
	case err != nil:
		return nil // this says nothing of the file
	}
	if p.moved() {
		return nil
	}
	gone := fmt.Errorf("%w: %s: %s", broker.ErrGone, p.path, what)
	p.gone.Store(&gone)
	return gone
}

// find is check for who opens the file: it must be where it was, also if the folder has
// been moved, and those who have it open go on.
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
	return nil // this says nothing of the file
}

// moved reports whether this process has the file open, and that is in its folder
// under the folder's new name. The file is looked up, never opened.
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
		// The name of one that was removed ends with a remark.
		folder, err := os.Stat(filepath.Dir(name))
		return err == nil && os.SameFile(folder, p.folder) && filepath.Base(name) == Name && name != p.path
	}
	return false
}
