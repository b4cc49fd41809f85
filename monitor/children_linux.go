package monitor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Subreaper makes the calling process, instead of init, the parent of every descendant
// whose own parent exits. It holds until the process ends and is not inherited.
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	return nil
}

// HasChildren reports whether this process has any child, running or zombie. It
// is one system call and reaps nothing. In a subreaper, false means that no
// descendant is left at all.
func HasChildren() (bool, error) {
	_, err := zombie()
	if errors.Is(err, unix.ECHILD) {
		return false, nil
	}
	return err == nil, err
}

// Reap removes the zombies that are children of this process, but not those whose pid is in
// except, and returns how many it removed. It does not block.
//
// Nothing in a zombie distinguishes an adopted child from one that this process started.
// except must hold the pids of all children that this process waits for otherwise, as
// [os/exec.Cmd.Wait] does; that wait would fail with ECHILD.
func Reap(except ...int) int {
	if pid, err := zombie(); err != nil || pid == 0 {
		return 0
	}
	var r processTable
	if _, err := r.list(); err != nil {
		// what is not reaped now is reaped by the next call
		return 0
	}
	self, reaped := os.Getpid(), 0
	for pid, s := range r.all {
		if s.PPID != self || !s.Ended() || slices.Contains(except, pid) {
			continue
		}
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == nil && got == pid {
			reaped++
		}
	}
	return reaped
}

// reapOrphans removes one zombie after the other that is a child of this process, and
// returns the CPU time that they used, with the children they waited for. It stops at own,
// the child that the caller waits for otherwise: [Reap] continues beyond it, but reads all
// processes of the machine. It does not block.
func reapOrphans(own int) (cpu time.Duration) {
	for {
		pid, err := zombie()
		if err != nil || pid == 0 || pid == own {
			return cpu
		}
		var used unix.Rusage
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, &used); err != nil || got != pid {
			return cpu
		}
		cpu += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
}

// zombie returns the pid of a child that has ended and has not been reaped, 0 if there is
// none, and ECHILD if there is no child at all.
func zombie() (pid int, err error) {
	for {
		// Without a zombie the call leaves info unchanged. WALL includes children that
		// signal their end by another signal than SIGCHLD; WNOWAIT does not reap.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("look for children: %w", err)
		}
		if info.Signo == 0 {
			return 0, nil
		}
		// The pid follows the first three numbers, aligned as a pointer.
		const behind = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
		return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), behind))), nil
	}
}
