package consumer

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"weft/internal/ledger"
	"weft/internal/tty"
)

// A terminal is what the command of a task has in place of pipes, with the socket at which
// clients attach to it. A client never makes the task wait: it reads the output where that
// is kept.
type terminal struct {
	master  *os.File // the other end: reads the command's output, writes its input
	slave   *os.File // the command's end, open as long as the command runs: it may open it again
	socket  *tty.Listener
	out     *output
	serving sync.WaitGroup

	mu      sync.Mutex
	modes   tty.Modes
	clients map[*tty.Conn]bool
	ended   bool
}

// newTerminal opens a terminal of this size, for a command to be started on its slave.
func newTerminal(a *ledger.Assignment, size tty.Size) (*terminal, error) {
	blocking, slave, err := pty.Open()
	if err != nil {
		// not wrapped: Refused would take it for an error of the command
		return nil, fmt.Errorf("open terminal: %v", err)
	}
	defer blocking.Close()
	t := &terminal{slave: slave, clients: make(map[*tty.Conn]bool)}
	if t.master, err = nonblocking(blocking); err == nil {
		err = t.resize(size)
	}
	if err == nil {
		t.socket, err = tty.Listen(a.WeftDir, a.TID, a.Epoch)
	}
	if err != nil {
		slave.Close()
		t.master.Close()
		return nil, fmt.Errorf("open terminal: %v", err)
	}
	return t, nil
}

// nonblocking returns f as a file whose reads and writes return when it is closed.
func nonblocking(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// abort undoes newTerminal if the command could not be started.
func (t *terminal) abort() {
	t.slave.Close()
	t.master.Close()
	t.socket.Close()
}

// serve lets clients attach; out keeps the command's output.
func (t *terminal) serve(out *output) {
	t.out = out
	t.serving.Go(func() {
		for {
			c, err := t.socket.AcceptClient()
			if err != nil {
				return
			}
			t.admit(c)
		}
	})
}

// A modeWriter follows the modes of a terminal.
type modeWriter struct{ t *terminal }

func (w modeWriter) Write(p []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	return w.t.modes.Write(p)
}

// admit serves a client, unless the output has ended.
func (t *terminal) admit(c *tty.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		c.Close()
		return
	}
	t.clients[c] = true
	t.serving.Go(func() { t.attend(c) })
}

// attend serves a client until it has gone, or has received all output.
func (t *terminal) attend(c *tty.Conn) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.clients, c)
	}()
	defer c.Close()
	// A silent client blocks nothing, and does not stay for ever.
	_ = c.SetReadDeadline(time.Now().Add(helloTimeout))
	hello, err := c.Receive()
	if err != nil {
		return
	}
	if err := tty.CheckHello(hello); err != nil {
		if c.Send(tty.Frame{Kind: tty.Output, Data: fmt.Appendf(nil, "weft: attach: %v\r\n", err)}) == nil {
			_ = c.Send(tty.Frame{Kind: tty.End})
		}
		return
	}
	t.greeted(c)
	gone := make(chan struct{})
	t.serving.Go(func() {
		defer close(gone)
		t.listen(c)
	})
	off := max(hello.Offset, 0)
	if hello.Offset == tty.Recent {
		if off, err = t.catchUp(c); err != nil {
			return
		}
	}
	if t.resize(hello.Size) == nil && hello.Offset == tty.Recent {
		t.redraw()
	}
	t.show(c, off, gone)
}

// helloTimeout bounds the wait for a client's hello.
const helloTimeout = 10 * time.Second

// greeted removes a client's deadline, as long as the output lasts.
func (t *terminal) greeted(c *tty.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		_ = c.SetReadDeadline(time.Time{})
	}
}

// listen passes on what a client types.
func (t *terminal) listen(c *tty.Conn) {
	for {
		f, err := c.Receive()
		if err != nil {
			return
		}
		switch f.Kind {
		case tty.Input:
			// An error means that the terminal has ended, which the client notices.
			_, _ = t.master.Write(f.Data)
		case tty.Resize:
			_ = t.resize(f.Size)
		}
	}
}

// catchUp sends the state of the terminal to a client that attaches later, and returns the
// offset at which its output continues. A program that uses the alternate screen is asked
// to redraw it; of any other the latest output is sent.
func (t *terminal) catchUp(c *tty.Conn) (off int64, err error) {
	t.mu.Lock()
	set, alternate := t.modes.Set(), t.modes.Alternate()
	t.mu.Unlock()
	size := t.out.written()
	start := max(0, size-recent)
	var latest []byte
	for off = start; off < size && !alternate; {
		p, _ := t.out.piece(make([]byte, size-off), off)
		if len(p) == 0 {
			break
		}
		latest = append(latest, p...)
		off += int64(len(p))
	}
	latest = append(tty.Quiet(fromLine(latest, start)), set...)
	return size, c.Send(tty.Frame{Kind: tty.Output, Offset: size, Data: latest})
}

// show sends the output from off on, until its end or until the client has gone.
func (t *terminal) show(c *tty.Conn, off int64, gone <-chan struct{}) {
	room := make([]byte, tty.MaxData)
	for {
		more := t.out.more()
		p, end := t.out.piece(room, off)
		off += int64(len(p))
		if len(p) > 0 && c.Send(tty.Frame{Kind: tty.Output, Offset: off, Data: p}) != nil {
			return
		}
		switch {
		case end:
			_ = c.Send(tty.Frame{Kind: tty.End})
			return
		case len(p) > 0:
			continue
		}
		select {
		case <-more:
		case <-gone:
			return
		}
	}
}

// resize changes the size of the terminal. The kernel signals the foreground process group.
func (t *terminal) resize(size tty.Size) error {
	if size == (tty.Size{}) {
		return nil
	}
	return t.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	})
}

// redraw makes a program that uses the alternate screen redraw it, by a SIGWINCH, even if
// the size has not changed.
func (t *terminal) redraw() {
	t.mu.Lock()
	alternate := t.modes.Alternate()
	t.mu.Unlock()
	if !alternate {
		return
	}
	_ = t.control(func(fd int) error {
		front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if err != nil || front <= 0 {
			return err
		}
		return unix.Kill(-front, unix.SIGWINCH)
	})
}

// control calls fn with the terminal's descriptor.
func (t *terminal) control(fn func(fd int) error) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = fn(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// endTimeout is how long a client may take to receive the last of the output. The client
// finds the rest where the output is kept.
const endTimeout = 250 * time.Millisecond

// end refuses further clients. It is called when the output has ended.
func (t *terminal) end() {
	t.socket.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for c := range t.clients {
		_ = c.SetDeadline(time.Now().Add(endTimeout))
	}
}

// wait waits until the clients have gone, which they do within endTimeout after end.
func (t *terminal) wait() { t.serving.Wait() }
