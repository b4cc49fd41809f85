//go:build !fsnotify

package bell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openPipe opens the pipe at path to listen, and makes it, and its folder, if
// missing. It opens both ends: with a writer that stays, the going of another is
// no event.
func openPipe(path string) (*pipe, error) {
	for range tries {
		file, err := os.OpenFile(path, os.O_RDWR|openFlags, 0)
		switch {
		case err == nil:
			return checkPipe(file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		err = unix.Mkfifo(path, 0o600)
		if errors.Is(err, unix.ENOENT) {
			err = unix.Mkdir(filepath.Dir(path), 0o700)
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("make pipe %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("pipe %s is deleted again and again", path)
}

// checkPipe refuses what is not a pipe, and closes it.
func checkPipe(file *os.File) (*pipe, error) {
	info, err := file.Stat()
	if err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		err = fmt.Errorf("%s is not a pipe", file.Name())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &pipe{file, info}, nil
}

// strike writes a byte into the pipe at path. If it is missing, or nobody has it
// open, then nobody listens.
func strike(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|openFlags, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte{1})
	if errors.Is(err, unix.EAGAIN) {
		err = makeRoom(path)
		if err == nil {
			_, err = unix.Write(fd, []byte{1})
		}
	}
	// EAGAIN once more: others have rung in between, which is as good. EPIPE: the
	// last listener has gone.
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("write to %s: %w", path, err)
	}
	return nil
}

// makeRoom takes bytes from a full pipe, which happens every 65536 rings. They
// may be what would have woken somebody who has not looked yet, so a write follows.
func makeRoom(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|openFlags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var page [4096]byte // less would not free one of the pipe's buffers
	_, err = unix.Read(fd, page[:])
	return err
}
