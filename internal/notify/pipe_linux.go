//go:build !fsnotify

package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe is a named pipe that is open for listening.
type pipe struct {
	file *os.File
	conn syscall.RawConn // file's
	info os.FileInfo
}

// openPipe opens the pipe at path. It makes the pipe and its folder if they are missing. It
// opens both ends, as Linux allows: while one writer remains, the end of another is no
// event.
func openPipe(path string) (*pipe, error) {
	for range tries {
		file, err := os.OpenFile(path, os.O_RDWR|openFlags, 0)
		switch {
		case err == nil:
			return newPipe(file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		err = unix.Mkfifo(path, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Mkdir(filepath.Dir(path), 0o700)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make pipe %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("pipe %s is deleted again and again", path)
}

// newPipe takes ownership of file, and closes it if it is not a pipe.
func newPipe(file *os.File) (*pipe, error) {
	info, err := file.Stat()
	if err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		err = fmt.Errorf("%s is not a named pipe", file.Name())
	}
	var conn syscall.RawConn
	if err == nil {
		conn, err = file.SyscallConn()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &pipe{file, conn, info}, nil
}

// isAt reports whether the pipe is the one at path.
func (p *pipe) isAt(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, p.info)
}

// write writes a byte into the pipe at path. If the pipe is missing, or no process has it
// open, no process listens.
func write(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|openFlags, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	if !isPipe(fd) {
		return fmt.Errorf("%s is not a named pipe", path) // it may be another file as well
	}
	_, err = unix.Write(fd, []byte{1})
	if errors.Is(err, unix.EAGAIN) {
		if err = makeRoom(path); err == nil {
			_, err = unix.Write(fd, []byte{1})
		}
	}
	// Another EAGAIN means that other processes have notified since, which is enough. EPIPE
	// means that the last listener has just closed the pipe.
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("write to %s: %w", path, err)
	}
	return nil
}

func isPipe(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// makeRoom reads bytes out of a full pipe, which is one after 65536 notifications. They may
// be the notification of a waiter that has not run yet, so the caller writes again.
func makeRoom(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|openFlags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var page [4096]byte // the size of the pipe's buffers: a smaller read need not free one
	_, err = unix.Read(fd, page[:])
	if errors.Is(err, unix.EAGAIN) {
		return nil // it is empty
	}
	return err
}
