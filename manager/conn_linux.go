package manager

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"weft/internal/proc"
)

const (
	// writeTimeout is how long a consumer may read nothing before it is checked.
	writeTimeout = 100 * time.Millisecond
	// maxTimeouts is how many checks in a row may find that the consumer has read nothing
	// although it is not stopped: 2 s, more than a busy machine needs.
	maxTimeouts = 20
)

// errUnresponsive means that a consumer does not read what is sent to it.
var errUnresponsive = errors.New("consumer does not take what is sent to it")

// A consumerConn is the manager's end of the connection to a consumer, which reads at once
// what it is sent, whatever its task does.
type consumerConn struct {
	*os.File
	to  proc.Identity
	log *slog.Logger
}

// Write kills a consumer that reads nothing because it is stopped, or for any other reason
// for 2 s: the manager and all other tasks would wait for it, and half a message may have
// been sent. Its task is handled as after any death of a consumer.
func (w *consumerConn) Write(p []byte) (n int, err error) {
	// Timeouts are counted, because time also passes while this process is stopped.
	for timeouts := 0; ; timeouts++ {
		if err := w.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return n, err
		}
		m, err := w.File.Write(p[n:])
		n += m
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case m > 0:
			timeouts = 0
		case timeouts == maxTimeouts || w.to.Stopped():
			w.log.Warn("kill unresponsive consumer", "pid", w.to.PID)
			_ = w.to.Signal(syscall.SIGKILL) // if it has ended, its death is reported
			return n, fmt.Errorf("%w: process %d", errUnresponsive, w.to.PID)
		}
	}
}
