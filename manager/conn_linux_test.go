package manager

import (
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"weft/internal/proc"
	"weft/internal/role"
)

// more is more than a socket holds.
const more = 8 << 20

// TestWire sends more than the connection holds to a process that takes nothing,
// and to one that takes its time.
func TestWire(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stop  bool // the process stands still
		reads bool
		least time.Duration
	}{
		"stands still":  {stop: true, least: writeTimeout},
		"takes nothing": {least: maxTimeouts * writeTimeout},
		"takes it":      {reads: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs, err := role.Pair()
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			defer theirs.Close()
			cmd := exec.CommandContext(t.Context(), "sleep", "1000")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			to, err := proc.Of(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			if test.stop {
				if err := to.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			taken := make(chan error, 1)
			if test.reads {
				go func() { _, err := io.CopyN(io.Discard, theirs, more); taken <- err }()
			}
			w := &consumerConn{File: ours, to: to, log: slog.New(slog.DiscardHandler)}
			began := time.Now()
			n, err := w.Write(make([]byte, more))
			if took := time.Since(began); took < test.least {
				t.Errorf("given up after %v, want %v at least", took, test.least)
			}
			if test.reads {
				if n != more || err != nil {
					t.Errorf("%d bytes were sent: %v", n, err)
				}
				if err := <-taken; err != nil {
					t.Error(err)
				}
				if !to.Alive() {
					t.Error("it was killed")
				}
				_ = cmd.Process.Kill()
			} else if n == more || !errors.Is(err, errUnresponsive) {
				t.Errorf("%d bytes were sent: %v", n, err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it has ended by itself")
			}
		})
	}
}
