package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is the file whose lock is the leadership.
const lockName = "manager.lock"

// A lock is the leadership of a project. The kernel releases it when the
// process ends, however it ends. It is an open file description lock: closing
// another descriptor of the file does not drop it, and it is not inherited by
// programs that the process starts, because the descriptor is not.
type lock struct{ f *os.File }

// lead takes the leadership. If another process has it and leaving reports
// that it is on its way out, lead waits for it; else it returns [ErrRunning].
func lead(dir string, leaving func() bool) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lead project: %w", err)
	}
	err = setLock(f, unix.F_OFD_SETLK)
	if heldByOther(err) && leaving() {
		err = setLock(f, unix.F_OFD_SETLKW)
	}
	if err != nil {
		f.Close()
		if heldByOther(err) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lead project: %w", err)
	}
	return &lock{f}, nil
}

// release gives the leadership up.
func (l *lock) release() { l.f.Close() }

// Running reports whether the project in dir has a manager. It looks without
// taking the lock, so that nobody who wants to lead is disturbed.
func Running(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|unix.O_NOFOLLOW, 0)
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

func setLock(f *os.File, cmd int) error {
	for {
		l := wholeFile()
		if err := unix.FcntlFlock(f.Fd(), cmd, &l); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func heldByOther(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }
