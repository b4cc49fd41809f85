package inherit

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Setter gives attributes to this process, so that those that it starts get them.
// It serves one submitter after the other, and all its calls come from one thread.
type Setter struct {
	Own Attributes // for those whose attributes are not known
	now Attributes
	max [numLimits]uint64
}

// NewSetter returns one for this process.
func NewSetter() (*Setter, error) {
	Raise() // so that Go changes nothing by itself for those who are started
	own, err := Read()
	if err != nil {
		return nil, err
	}
	s := &Setter{Own: own, now: own}
	for i := range s.max {
		l, err := limit(i)
		if err != nil {
			return nil, err
		}
		s.max[i] = l.Max
	}
	s.Own.Soft[unix.RLIMIT_NOFILE] = min(usualFiles, s.max[unix.RLIMIT_NOFILE])
	return s, nil
}

// Kept is what [Setter.Set] has kept from this process, because it would harm it or
// could not be taken back: the process that is to have it sets it itself.
type Kept struct {
	Nice int // more than this process is
	// Soft are limits by their numbers.
	Soft map[int]uint64
	// Short says in a line what could not be had, empty if there is nothing.
	Short string `json:"-"`
}

// Direct reports whether nothing was kept.
func (k Kept) Direct() bool { return k.Nice == 0 && k.Soft == nil }

// Set gives this process the attributes of want, but for the umask and what it
// returns.
func (s *Setter) Set(want Attributes) (k Kept) {
	var short []string
	missing := func(what string, want, got any) {
		short = append(short, fmt.Sprintf("%s %v instead of %v", what, got, want))
	}
	s.setNice(want.Nice, &k)
	if want.Nice < s.now.Nice {
		missing("niceness", want.Nice, s.now.Nice)
	}
	if want.CPUs == "" {
		want.CPUs = s.Own.CPUs
	}
	if s.setCPUs(want.CPUs); s.now.CPUs != want.CPUs {
		missing("CPUs", want.CPUs, s.now.CPUs)
	}
	for i, soft := range want.Soft {
		if soft > s.max[i] {
			missing(limitNames[i], limitText(soft), limitText(s.max[i]))
			soft = s.max[i]
		}
		s.setLimit(i, soft, &k)
	}
	k.Short = strings.Join(short, ", ")
	return k
}

// setNice changes how nice this thread is, unless it could not be taken back.
func (s *Setter) setNice(want int, k *Kept) {
	if want > s.Own.Nice {
		k.Nice, want = want, s.Own.Nice
	}
	if want != s.now.Nice && unix.Setpriority(unix.PRIO_PROCESS, 0, want) == nil {
		s.now.Nice = want
	}
}

func (s *Setter) setCPUs(want string) {
	if want == s.now.CPUs || want == "" {
		return
	}
	if set, err := parseCPUs(want); err == nil {
		_ = unix.SchedSetaffinity(0, &set)
	}
	if got, err := cpus(); err == nil {
		s.now.CPUs = got
	}
}

// What is enough for a consumer: open files, and bytes of stack.
const (
	enoughFiles = 256
	enoughStack = 1 << 20
)

// setLimit changes a limit of this process, unless that would harm it.
func (s *Setter) setLimit(i int, soft uint64, k *Kept) {
	if soft == s.now.Soft[i] {
		return
	}
	if harms(i, soft) {
		if k.Soft == nil {
			k.Soft = make(map[int]uint64)
		}
		k.Soft[i] = soft
		return
	}
	if unix.Prlimit(0, i, &unix.Rlimit{Cur: soft, Max: s.max[i]}, nil) == nil {
		s.now.Soft[i] = soft
	}
}

// harms reports whether a consumer could fail with such a limit.
func harms(resource int, soft uint64) bool {
	switch resource {
	case unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_FSIZE, unix.RLIMIT_CPU, unix.RLIMIT_NPROC, rlimitRTTime:
		return true
	case unix.RLIMIT_NOFILE:
		return soft < enoughFiles
	case unix.RLIMIT_STACK:
		return soft < enoughStack
	}
	return false
}

// Exec gives this process what was kept from the one that has started it, and
// executes a program. It returns only an error, of type [syscall.Errno] if the
// program cannot be executed.
func (k Kept) Exec(path string, args, env []string) error {
	runtime.LockOSThread() // the niceness is the thread's
	defer runtime.UnlockOSThread()
	if k.Nice != 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, k.Nice); err != nil {
			return err
		}
	}
	pathp, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envp, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	if _, ok := k.Soft[unix.RLIMIT_NOFILE]; !ok {
		unraise()
	}
	var set, before [numLimits]unix.Rlimit
	for i, soft := range k.Soft {
		if before[i], err = limit(i); err != nil {
			return err
		}
		set[i] = unix.Rlimit{Cur: soft, Max: before[i].Max}
	}
	// The runtime of Go may not live with these limits: nothing that needs memory
	// comes after them.
	for i := range k.Soft {
		setRaw(i, &set[i])
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(pathp)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envp[0])))
	for i := range k.Soft {
		setRaw(i, &before[i])
	}
	return errno
}

func setRaw(resource int, l *unix.Rlimit) {
	_, _, _ = unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(l)), 0, 0, 0)
}

// ShiftFiles moves n files that this process has been given behind conn one place
// down, into that of conn, and returns conn in another.
func ShiftFiles(conn *os.File, n int) (*os.File, error) {
	first := int(conn.Fd())
	moved, err := unix.FcntlInt(uintptr(first), unix.F_DUPFD_CLOEXEC, first+n+1)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	for fd := first; fd < first+n; fd++ {
		if err := unix.Dup3(fd+1, fd, 0); err != nil {
			return nil, os.NewSyscallError("dup3", err)
		}
	}
	return os.NewFile(uintptr(moved), "weft"), nil
}

const rlimitRTTime = 15

// limitNames are what the limits are called, as bash calls them.
var limitNames = [numLimits]string{
	"cpu time", "file size", "data size", "stack size", "core file size", "resident size", "processes", "open files",
	"locked memory", "virtual memory", "file locks", "pending signals", "message queues", "scheduling priority",
	"real-time priority", "real-time timeout",
}

func limitText(soft uint64) string {
	if soft == unlimited {
		return "unlimited"
	}
	return fmt.Sprint(soft)
}
