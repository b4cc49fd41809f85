package monitor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// leastCap is the least cap: it limits the number of a descriptor, and shells put theirs at
// 255 although they have few.
const leastCap = 256

// CapFDs makes the kernel refuse a process, and those that it starts from now on, more than
// one descriptor beyond the limit, but never fewer than 256. A sample finds that one more
// descriptor; between two samples no process can exceed it.
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
