package inherit

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Read returns what a process would get that this one starts.
func Read() (a Attributes, err error) {
	if a.Umask, err = umask(); err != nil {
		return a, err
	}
	a.Nice = niceness()
	a.CPUs, _ = cpus() // a machine of too many is one whose CPUs are not known
	for i := range a.Soft {
		l, err := limit(i)
		if err != nil {
			return a, err
		}
		a.Soft[i] = l.Cur
		if i == unix.RLIMIT_NOFILE && raised(l) {
			a.Soft[i] = min(usualFiles, l.Max)
		}
	}
	return a, nil
}

// usualFiles is the soft limit of open files that systems give. Some programs go
// through all numbers below their limit, which takes them minutes where it is the
// hard one.
const usualFiles = 1024

// raised reports whether the limit of open files looks like one that Go has
// raised as it started this process. What it gives to those it starts is what it
// had before, which cannot be known any more: mostly the usual.
func raised(l unix.Rlimit) bool { return l.Cur < l.Max && l.Cur == l.Max-1 }

// Note lets [Read] tell exactly, and faster, what this process was started with. A
// program that changes none of it, and needs few files, calls it first: it takes
// back that Go has raised the limit of open files, for this process and for what
// that starts.
func Note() {
	unraise()
	mask := syscall.Umask(ownUmask)
	syscall.Umask(mask)
	noted.Store(&mask)
}

// noted is the umask; nil where it must be looked at.
var noted atomic.Pointer[int]

// unraise takes back that Go has raised the limit of open files.
func unraise() {
	// Before it executes another program Go sets the limit to what it was. There
	// is no program of this name.
	_ = syscall.Exec("", []string{""}, nil)
}

// umask reads the umask. It cannot be asked for without setting it for a moment,
// for all threads.
func umask() (int, error) {
	if mask := noted.Load(); mask != nil {
		return *mask, nil
	}
	fd, err := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("read umask: %w", os.NewSyscallError("open", err))
	}
	defer unix.Close(fd)
	var buf [256]byte // it is on the second line
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return 0, fmt.Errorf("read umask: %w", os.NewSyscallError("read", err))
	}
	_, rest, _ := bytes.Cut(buf[:n], []byte("\nUmask:\t"))
	value, _, found := bytes.Cut(rest, []byte("\n"))
	if !found {
		return 0, errors.New("read umask: the kernel does not say it")
	}
	mask, err := strconv.ParseUint(string(value), 8, 9)
	if err != nil {
		return 0, fmt.Errorf("read umask: %w", err)
	}
	return int(mask), nil
}

// niceness is that of the calling thread.
func niceness() int {
	// The system call says 20 minus it.
	n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - n
}

// limit returns a limit of this process.
func limit(resource int) (l unix.Rlimit, err error) {
	if err := unix.Prlimit(0, resource, nil, &l); err != nil {
		return l, fmt.Errorf("read limits: %w", os.NewSyscallError("prlimit", err))
	}
	return l, nil
}

// cpus are those that the calling thread may run on.
func cpus() (string, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return "", os.NewSyscallError("sched_getaffinity", err)
	}
	return formatCPUs(&set), nil
}

// formatCPUs writes a set as the kernel does: "0-3,7".
func formatCPUs(set *unix.CPUSet) string {
	var text []byte
	most := len(set) * bits.UintSize
	for first := 0; first < most; first++ {
		if !set.IsSet(first) {
			continue
		}
		last := first
		for last+1 < most && set.IsSet(last+1) {
			last++
		}
		if text != nil {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(first), 10)
		if last > first {
			text = strconv.AppendInt(append(text, '-'), int64(last), 10)
		}
		first = last
	}
	return string(text)
}

// parseCPUs reads what formatCPUs has written.
func parseCPUs(text string) (set unix.CPUSet, err error) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return set, fmt.Errorf("CPUs %q: %w", text, err)
		}
		last := first
		if isRange {
			if last, err = strconv.ParseUint(to, 10, 16); err != nil {
				return set, fmt.Errorf("CPUs %q: %w", text, err)
			}
		}
		for cpu := first; cpu <= last; cpu++ {
			set.Set(int(cpu)) // which ignores those that are too many
		}
	}
	return set, nil
}
