package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/project"
)

// folder is where the sockets are in a project's folder.
const folder = "run"

// staleAge is how old a socket must be that nobody listens on before it is
// taken for what a killed consumer left. Between its birth and its first
// listener a socket is dead as well, but not for long.
const staleAge = time.Minute

// errPeer is returned where somebody else is at the other end.
var errPeer = errors.New("it belongs to another user")

// A Listener is the end of a socket at which others connect.
type Listener struct {
	*net.UnixListener
	dir, name string
}

// Listen makes the socket called name in the project whose folder is weftDir. The
// caller closes it.
func Listen(weftDir, name string) (*Listener, error) {
	dir := filepath.Join(weftDir, folder)
	if err := project.MakeFolder(weftDir, folder); err != nil {
		return nil, fmt.Errorf("make folder of sockets: %w", err)
	}
	l := &Listener{dir: dir, name: name}
	err := near(dir, func(dir string) error {
		removeStale(dir)
		path := filepath.Join(dir, l.name)
		socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return err
		}
		// By the name that it was made with, it could not be found any more.
		socket.SetUnlinkOnClose(false)
		l.UnixListener = socket
		// The folder lets nobody else in; this is for one that was there before.
		if err := os.Chmod(path, 0o600); err != nil {
			return errors.Join(err, socket.Close(), os.Remove(path))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	return l, nil
}

// acceptPause is how long to wait where a client cannot be let in.
const acceptPause = 100 * time.Millisecond

// AcceptPeer waits for the next client. It turns strangers away. An error means that
// the socket is closed.
func (l *Listener) AcceptPeer() (*net.UnixConn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil && !errors.Is(err, net.ErrClosed) {
			<-time.After(acceptPause) // there may be no descriptor just now
			continue
		}
		if err != nil {
			return nil, err
		}
		if familiar(c) == nil {
			return c, nil
		}
		c.Close()
	}
}

// Close ends the socket and removes its file. Connections stay.
func (l *Listener) Close() error {
	remove := func(dir string) error { return os.Remove(filepath.Join(dir, l.name)) }
	return errors.Join(l.UnixListener.Close(), near(l.dir, remove))
}

// Dial connects to the socket called name. The error wraps [fs.ErrNotExist] if there
// is none, and [unix.ECONNREFUSED] if nobody listens on it.
func Dial(weftDir, name string) (*net.UnixConn, error) {
	var c *net.UnixConn
	err := near(filepath.Join(weftDir, folder), func(dir string) error {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err == nil && info.Mode().Type() != fs.ModeSocket {
			err = fmt.Errorf("%s is not a socket", name)
		}
		if err != nil {
			return err
		}
		c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		return err
	})
	if err == nil {
		if err = familiar(c); err != nil {
			c.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// NotListening reports whether an error of [Dial] says that nobody listens, not yet
// or not any more.
func NotListening(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED)
}

// Names returns the names of the sockets that begin with prefix.
func Names(weftDir, prefix string) (names []string, err error) {
	err = near(filepath.Join(weftDir, folder), func(dir string) error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			if e.Type() == fs.ModeSocket && strings.HasPrefix(e.Name(), prefix) {
				names = append(names, e.Name())
			}
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, err
}

// near calls fn with a short path to dir, which is no link. The address of a socket
// holds at most 108 bytes, and a project may be deeper in the file system than that.
func near(dir string, fn func(dir string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return fn("/proc/self/fd/" + strconv.Itoa(fd))
}

// familiar checks that the same user is at the other end, or root is at either.
func familiar(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if self := uint32(os.Geteuid()); peer.Uid != self && peer.Uid != 0 && self != 0 {
		return errPeer
	}
	return nil
}

// removeStale removes the sockets that killed consumers have left in dir, a short path.
// What cannot be removed does no harm.
func removeStale(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Type() != fs.ModeSocket || time.Since(info.ModTime()) < staleAge {
			continue
		}
		path := filepath.Join(dir, e.Name())
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		} else if errors.Is(err, unix.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
}
