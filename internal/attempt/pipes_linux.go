package attempt

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// readPipes reads both streams to their ends. It keeps the order in which the processes write
// to them as far as that can be known: what is there on standard output when something is
// read from standard error came before it. With a worker it is the other way around, because
// it writes a function's value last.
func (a *Attempt) readPipes() {
	out := &pipe{file: a.stdout, to: a.Stdout, buf: make([]byte, 32<<10), kept: &a.kept}
	if a.stderr == nil {
		a.readPipe(out, nil)
		return
	}
	errs := &pipe{file: a.stderr, to: a.Stderr, buf: make([]byte, 32<<10), kept: &a.kept}
	earlier, later := out, errs
	if a.Process != nil {
		earlier, later = errs, out
	}
	a.readPipe(earlier, nil)
	a.readPipe(later, earlier)
}

// readPipe reads a stream to its end; what waits in earlier, if there is one, came before.
func (a *Attempt) readPipe(p, earlier *pipe) {
	a.Go(func() {
		p.drain(func(fd uintptr) (over, again bool) {
			a.order.Lock()
			defer a.order.Unlock()
			n, over, again := p.take(fd)
			if n > 0 {
				if earlier != nil {
					earlier.readWaiting()
				}
				p.keep(n)
			}
			return over, again
		})
	})
}

// A pipe is the read end of a stream of the processes.
type pipe struct {
	file *os.File
	to   io.Writer
	buf  []byte
	kept *int64 // counts the bytes of all streams
}

// keep passes on the first n bytes of the buffer. A writer that fails is not the fault of
// the process.
func (p *pipe) keep(n int) {
	*p.kept += int64(n)
	_, _ = p.to.Write(p.buf[:n])
}

// drain calls step whenever there may be something to read, until it is over.
func (p *pipe) drain(step func(fd uintptr) (over, again bool)) {
	raw, err := p.file.SyscallConn()
	for over := false; err == nil && !over; {
		// It fails at the deadline that is set when the tree is dead.
		err = raw.Read(func(fd uintptr) (done bool) {
			var again bool
			over, again = step(fd)
			return !again
		})
	}
}

// take reads a piece. over reports that the stream has ended, again that there is nothing
// yet.
func (p *pipe) take(fd uintptr) (n int, over, again bool) {
	for {
		n, err := unix.Read(int(fd), p.buf)
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, false, true
		default:
			return max(0, n), n <= 0, false
		}
	}
}

// readWaiting reads and keeps what is there now, but not what arrives meanwhile, which may
// never end.
func (p *pipe) readWaiting() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // an error means that it is closed
		waiting, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		for err == nil && waiting > 0 {
			n, over, again := p.take(fd)
			if over || again {
				return
			}
			p.keep(n)
			waiting -= n
		}
	})
}
