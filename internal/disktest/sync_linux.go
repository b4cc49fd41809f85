package disktest

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NoSync calls fn where every fsync fails with EIO.
func NoSync(fn func()) error { return run(fn, []unix.SockFilter{fail}) }

// NoSyncOf is [NoSync] where only the fsync of the descriptor fd fails.
func NoSyncOf(fd uintptr, fn func()) error { return run(fn, ifDescriptor(fd, fail, allow)) }

// NoSyncBut is [NoSync] where only the fsync of the descriptor fd succeeds.
func NoSyncBut(fd uintptr, fn func()) error { return run(fn, ifDescriptor(fd, allow, fail)) }

func ifDescriptor(fd uintptr, yes, no unix.SockFilter) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: firstArgument},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(fd), Jf: 1},
		yes,
		no,
	}
}

// firstArgument is where a filter finds the low half of a system call's first
// argument, on a little-endian machine.
const firstArgument = 16

var (
	allow = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	fail  = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)}
)

// run calls fn on a thread of its own, where filter decides about each fsync.
func run(fn func(), filter []unix.SockFilter) error {
	filter = append([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FSYNC, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FDATASYNC, Jt: 1},
		allow,
	}, filter...)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // it ends with this goroutine
		err := install(filter)
		if err == nil {
			fn()
		}
		done <- err
	}()
	return <-done
}

// install puts a filter on the calling thread.
func install(filter []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	if err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	return nil
}
