package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	projectfiles "weft/internal/project" // the tests have a type called project
)

// lockName is the file whose lock is the leadership.
const lockName = "manager.lock"

// A lock is the leadership of a project. The kernel releases it when the process ends,
// however it ends. It is an open file description lock: closing another descriptor of the
// file does not release it, and programs that the process starts do not inherit it.
type lock struct {
	f    *os.File
	path string      // f's
	info os.FileInfo // f's
}

// lockPause is the pause between two attempts at a lock. The kernel has only a blocking
// wait for it, in fcntl(2), which cannot be cancelled.
const lockPause = 2 * time.Millisecond

// lead takes the leadership. While another process holds the lock, but vacant reports that
// no manager will keep it, lead retries until ctx ends; else it returns [ErrRunning].
func lead(ctx context.Context, dir string, vacant func() bool) (*lock, error) {
	f, err := projectfiles.Lock(dir, lockName)
	if err != nil {
		return nil, fmt.Errorf("lead project: %w", err)
	}
	l := &lock{f: f, path: filepath.Join(dir, lockName)}
	if err = awaitLock(ctx, f, vacant); err == nil {
		l.info, err = f.Stat()
	}
	switch {
	case err == nil:
		return l, nil
	case heldByOther(err):
		err = ErrRunning
	default:
		err = fmt.Errorf("lead project: %w", err)
	}
	f.Close()
	return nil, err
}

// inPlace reports whether other processes would find this lock: its file is where it was.
func (l *lock) inPlace() bool {
	info, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false
	}
	return err != nil || os.SameFile(info, l.info) // another error proves nothing
}

// release gives the leadership up.
func (l *lock) release() { l.f.Close() }

// Running reports whether the project in dir has a manager. It does not take the lock, so
// that it disturbs no process that wants to lead.
func Running(dir string) (bool, error) {
	f, err := projectfiles.OpenLock(dir, lockName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for manager: %w", err)
	}
	defer f.Close()
	l := wholeFile()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("look for manager: %w", err)
	}
	return l.Type != unix.F_UNLCK, nil
}

func wholeFile() unix.Flock_t { return unix.Flock_t{Type: unix.F_WRLCK} }

// awaitLock tries to lock f until it succeeds, retry returns false, or ctx ends.
func awaitLock(ctx context.Context, f *os.File, retry func() bool) error {
	for {
		err := setLock(f)
		if !heldByOther(err) || !retry() {
			return err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func setLock(f *os.File) error {
	for {
		l := wholeFile()
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func heldByOther(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }

// folderID identifies a folder among all that exist, or have existed since the system
// started; it is empty if that cannot be known.
func folderID(dir string) string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
