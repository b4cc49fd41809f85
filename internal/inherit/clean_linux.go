package inherit

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownUmask lets nobody else at the files of Weft's own processes.
const ownUmask = 0o077

// usualStack is the soft limit of the stack that the kernel gives to the first
// process.
const usualStack = 8 << 20

// Clean sheds what this process has got from its starter, as far as it may: its
// umask is 077 then, no signal is ignored or blocked, it is scheduled as any other,
// may run on all CPUs and has all that its hard limits allow. It must come before
// the process does anything else.
//
// Threads have CPUs, blocked signals and priorities of their own, and the runtime
// counts the CPUs as it starts. So where one of these was not clean the program is
// executed once more, with the same arguments, environment and descriptors, and
// Clean does not return.
func Clean() {
	syscall.Umask(ownUmask)
	for i := range numLimits {
		cleanLimit(i)
	}
	clean(cleanThread)
}

// CleanSignals is Clean for signals alone, for a process whose starter is a manager:
// who runs that as a service says what else there is.
func CleanSignals() { clean(unblock) }

// clean heeds all signals, and sheds what belongs to the thread, in which thread
// reports whether there was anything.
func clean(thread func() bool) {
	for sig := unix.Signal(1); sig <= lastSignal; sig++ {
		heed(sig)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if thread() {
		// If it cannot be, the process goes on with what it has.
		_ = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}

// cleanLimit raises a soft limit to the hard one, but for two that are low
// everywhere although they need not be: other values would change what programs do
// that have no problem.
func cleanLimit(resource int) {
	l, err := limit(resource)
	if err != nil {
		return
	}
	soft := l.Max
	switch resource {
	case unix.RLIMIT_STACK:
		soft = min(usualStack, l.Max)
	case unix.RLIMIT_CORE:
		soft = 0
	}
	if soft != l.Cur || resource == unix.RLIMIT_NOFILE { // which Go else lowers for those that are started
		l.Cur = soft
		_ = unix.Prlimit(0, resource, &l, nil)
	}
}

// Raise lets this process, and what it starts, have as many open files as it may.
func Raise() { cleanLimit(unix.RLIMIT_NOFILE) }

// lastSignal is the greatest number of a signal.
const lastSignal = 64

// heed lets a signal that is ignored do what it does by default. Go takes over
// most as it starts, but leaves some of those that are ignored alone.
func heed(sig unix.Signal) {
	// Only the first field counts here, and 0 in all fields is the default.
	var action struct {
		handler uintptr
		rest    [32]uintptr
	}
	const ignore = 1
	size := uintptr(lastSignal / 8) // of a set of signals
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&action)), size, 0, 0); errno != 0 || action.handler != ignore {
		return
	}
	action.handler = 0
	action.rest = [32]uintptr{}
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, size, 0, 0)
}

// cleanIO gives the calling thread the usual priority for disks.
func cleanIO() (changed bool) {
	const process, classShift = 1, 13
	priority, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_GET, process, 0, 0)
	if errno != 0 || priority>>classShift == 0 {
		return false
	}
	_, _, errno = unix.RawSyscall(unix.SYS_IOPRIO_SET, process, 0, 0)
	return errno == 0
}

// unblock lets all signals reach the calling thread, and reports whether any did not.
func unblock() (changed bool) {
	var none, blocked unix.Sigset_t
	return unix.PthreadSigmask(unix.SIG_SETMASK, &none, &blocked) == nil && blocked != none
}

// cleanThread sheds what belongs to the calling thread, and reports whether there
// was anything.
func cleanThread() (changed bool) {
	changed = unblock()
	if a, err := unix.SchedGetAttr(0, 0); err == nil && a.Policy != unix.SCHED_NORMAL && unix.SchedSetAttr(0, &unix.SchedAttr{Nice: a.Nice}, 0) == nil {
		changed = true
	}
	if cleanIO() {
		changed = true
	}
	if niceness() != 0 && unix.Setpriority(unix.PRIO_PROCESS, 0, 0) == nil {
		changed = true
	}
	before, err := cpus()
	if err != nil {
		return changed
	}
	var all unix.CPUSet
	all.Fill() // the kernel takes those that there are
	_ = unix.SchedSetaffinity(0, &all)
	after, err := cpus()
	return changed || err == nil && after != before
}
