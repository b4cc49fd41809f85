//go:build !fsnotify

package bell

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers from linux/futex.h that x/sys does not have.
const (
	futexWake    = 1
	futexWakeOp  = 5
	futexPrivate = 1 << 7 // no other process uses the word

	// For futexWakeOp: add 1 to the word.
	futexAddOne = 1<<28 | 1<<12

	// For futex_waitv, in futexWaiter.flags.
	futex2U32     = 2
	futex2Private = 1 << 7
)

// futexWaiter is struct futex_waitv.
type futexWaiter struct {
	value, addr     uint64
	flags, reserved uint32
}

// futexIncrement adds 1 to a word that processes share and wakes all its waiters.
// It is EFAULT if there is no such word any more.
func futexIncrement(word unsafe.Pointer) error {
	// The call can change one word and wake the waiters of another. Here both are the same.
	return errnoErr(unix.Syscall6(unix.SYS_FUTEX, uintptr(word), futexWakeOp, math.MaxInt32, 0, uintptr(word), futexAddOne))
}

// futexWakeOne wakes a waiter of a word of this process.
func futexWakeOne(word unsafe.Pointer) error {
	return errnoErr(unix.Syscall6(unix.SYS_FUTEX, uintptr(word), futexWake|futexPrivate, 1, 0, 0, 0))
}

// futexWaitAny blocks the thread until one of the waiters is woken, which is nil,
// or the monotonic clock shows until (ETIMEDOUT). It does not block if one of
// the words is not what its waiter says (EAGAIN).
func futexWaitAny(waiters []futexWaiter, until unix.Timespec) error {
	// The kernel wants 64 bits for both parts also where a Timespec has 32.
	var deadline struct{ sec, nsec int64 }
	deadline.sec, deadline.nsec = until.Unix()
	return errnoErr(unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(waiters))),
		uintptr(len(waiters)), 0, uintptr(unsafe.Pointer(&deadline)), unix.CLOCK_MONOTONIC, 0))
}

func errnoErr(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
