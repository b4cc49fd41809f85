package monitor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// leastCap is below what no process is capped: a cap is on the number of a
// descriptor, and shells put theirs at 255 although they have few.
const leastCap = 256

// CapFDs has the kernel refuse a process, and those that it starts from now on,
// more than one descriptor beyond the limit, and never fewer than 256. That one
// is what a sample finds; so between two samples no process goes further.
func CapFDs(pid, limit int) error {
	var now unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now)
	bound := min(max(uint64(limit)+1, leastCap), now.Max)
	if err == nil && bound < now.Max {
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(bound, now.Cur), Max: bound}, nil)
	}
	if err != nil {
		return fmt.Errorf("cap descriptors of process %d: %w", pid, err)
	}
	return nil
}
