package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// statSize holds any stat file: 51 numbers of at most 20 digits and a name of
// at most 64 bytes (that of a kernel worker).
const statSize = 2048

// Read returns the stat of the process that has the given pid now, zombies
// included. It returns [ErrGone] if there is none.
func Read(pid int) (Stat, error) {
	// /proc also has entries for the ids of threads. Only a process has a thread of its own
	// number.
	err := unix.Tgkill(pid, pid, 0)
	if err == nil || err == unix.EPERM {
		var buf [statSize]byte
		var data []byte
		hidden := err // from us, if /proc is mounted with hidepid
		if data, err = readInto(buf[:], "/proc/"+strconv.Itoa(pid)+"/stat"); err == nil {
			return ParseStat(data)
		}
		if err == unix.ENOENT && hidden != nil {
			err = hidden
		}
	}
	return Stat{}, fmt.Errorf("read stat of process %d: %w", pid, gone(err))
}

// LastPID returns the pid that was assigned last in this process's pid namespace, to a
// process or to a thread. Pids rise by one until they start again at the bottom; those in
// use are skipped. So whatever has started between two calls has a pid above the first
// result and not above the second, unless the second is smaller.
func LastPID() (int, error) {
	var buf [128]byte
	data, err := readInto(buf[:], "/proc/loadavg")
	if err != nil {
		return 0, fmt.Errorf("read last pid: %w", err)
	}
	line := bytes.TrimSpace(data)
	pid, err := strconv.Atoi(string(line[bytes.LastIndexByte(line, ' ')+1:]))
	if err != nil {
		return 0, fmt.Errorf("read last pid: %w", err)
	}
	return pid, nil
}

// Boot returns the id of the running boot of this machine.
func Boot() (string, error) {
	var buf [64]byte
	data, err := readInto(buf[:], "/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return string(bytes.TrimSpace(data)), nil
}

// Namespace identifies the pid namespace of this process: pids of another one mean nothing
// here. It is empty if it cannot be read.
func Namespace() string {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return name
}

// readInto reads what fits into buf from a file of /proc. It makes the three system calls
// that are needed; os.ReadFile would make seven, as it also registers the file with the
// poller.
func readInto(buf []byte, path string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := retry(func() (int, error) { return unix.Read(fd, buf) })
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// signal sends sig through a pidfd.
func (id Identity) signal(sig syscall.Signal) error {
	fd, err := id.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if err == unix.ESRCH {
		return ErrGone
	}
	return err
}

// wait lets the runtime's poller watch a pidfd, which becomes readable when the process has
// ended. So a waiting goroutine blocks no thread and never wakes up in between.
func (id Identity) wait(ctx context.Context) error {
	fd, err := id.open()
	if err != nil {
		return err
	}
	// The runtime polls only non-blocking files.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()

	var pollErr error
	err = conn.Read(func(fd uintptr) (done bool) {
		done, pollErr = ended(int(fd))
		return done || pollErr != nil
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return errors.Join(err, pollErr)
}

// ended reports without waiting whether the process of a pidfd has ended.
func ended(pidfd int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
	return n > 0, err
}

// open returns a pidfd of the process. It checks the start time after the pidfd is open: if
// the pid is still that of the process then, it was so when the pidfd was opened, because a
// process never gets back a reused pid.
func (id Identity) open() (int, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		return -1, gone(err)
	}
	if err := id.Check(); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// gone turns the errors by which the kernel says "no such process" into ErrGone. EINVAL and
// ENOENT come from pidfd_open if the number is only that of a thread, and EINVAL from
// tgkill if it is not positive.
func gone(err error) error {
	if err == unix.ENOENT || err == unix.ESRCH || err == unix.EINVAL {
		return ErrGone
	}
	return err
}

// retry repeats a system call that a signal to this process has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// Terminal returns the name of the terminal that this process reads from or writes to; empty
// if it has none.
func Terminal() string {
	for fd := range 3 {
		name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && (strings.HasPrefix(name, "/dev/pts/") || strings.HasPrefix(name, "/dev/tty")) {
			return name
		}
	}
	return ""
}
