//go:build !fsnotify

package bell

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// place is where a file is mapped. Only the kernel goes there, on behalf of
// futex calls: reading from Go would be a fault (SIGBUS) once somebody has cut
// the file off, while the kernel says EFAULT.
type place struct{ at unsafe.Pointer }

func findPlace(file *os.File) (place, error) {
	at, err := unix.MmapPtr(int(file.Fd()), 0, nil, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return place{}, fmt.Errorf("map %s: %w", file.Name(), err)
	}
	return place{at}, nil
}

func (p place) word(bell int) unsafe.Pointer { return unsafe.Add(p.at, 4*bell) }

func (p place) close() error { return unix.MunmapPtr(p.at, fileSize) }

// strike adds one to a bell's word and wakes all that wait for it to change. The
// kernel does the first in one step that no other process divides, so each ring
// leaves a value that nobody has seen. (A value that a waiter has seen comes back
// after 2^32 rings; he would have to be held up for an hour between looking and
// waiting.)
func (w *words) strike(bell int) error { return futexIncrement(w.place.word(bell)) }
