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
	// writeTimeout is how long a consumer may take nothing until it is looked at.
	writeTimeout = 100 * time.Millisecond
	// maxTimeouts is how many looks in a row may find that it took nothing although
	// it does not stand still: 2 s, as a machine that busy is out of order.
	maxTimeouts = 20
)

// errUnresponsive: a consumer takes nothing of what is sent to it.
var errUnresponsive = errors.New("consumer does not take what is sent to it")

// A consumerConn is the manager's end of the connection to a consumer, which reads at
// once what it is sent, whatever its task does.
type consumerConn struct {
	*os.File
	to  proc.Identity
	log *slog.Logger
}

// Write kills a consumer that takes nothing because it stands still, or for some
// other reason for 2 s: the manager and all other tasks would wait with it, and
// half a message may have gone out. What it leaves is handled as after any death.
func (w *consumerConn) Write(p []byte) (n int, err error) {
	// Looks are counted, for time also goes by while this process stands still.
	for looks := 0; ; looks++ {
		if err := w.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return n, err
		}
		m, err := w.File.Write(p[n:])
		n += m
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case m > 0:
			looks = 0
		case looks == maxTimeouts || w.to.Stopped():
			w.log.Warn("kill deaf consumer", "pid", w.to.PID)
			_ = w.to.Signal(syscall.SIGKILL) // if it has ended, that will be heard
			return n, fmt.Errorf("%w: process %d", errUnresponsive, w.to.PID)
		}
	}
}
