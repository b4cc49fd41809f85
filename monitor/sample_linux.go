package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/proc"
)

// A Sampler measures the processes below one that is a child subreaper
// ([Subreaper]), so that all of them are below it.
//
// What it cannot see: processes of other users' (set-uid programs) have no
// descriptors for it, and the CPU time of a process is lost whose parent ignores
// SIGCHLD. All else that has ended counts through whoever waited for it.
type Sampler struct {
	Root int // does not count itself

	// Foreign are environment entries. A process that was executed with one of
	// them does not count, nor does what is below it.
	Foreign []string

	// FDs and Connections have descriptors and connections counted.
	FDs, Connections bool

	// Doubt is the memory in MiB from which on it is measured exactly: a limit. 0
	// means never.
	//
	// What is resident is cheap to know, but counts what processes share once for
	// each of them, as after a fork; and a process that is being started looks
	// for a moment as large as the one that starts it. Too much by this measure
	// is no reason to kill anybody.
	Doubt float64

	// Cap has every process capped that is met and is not yet: see [CapFDs]. 0
	// means nobody.
	Cap int
}

// Sample measures the tree. Processes that come and go meanwhile may be
// missed.
func (s Sampler) Sample() (Sample, error) {
	all := Sample{At: time.Now()}
	pids, err := s.members()
	if err != nil {
		return Sample{}, err
	}
	sockets := make(socketSet)
	for _, pid := range pids {
		l, err := readLoad(pid)
		if err != nil {
			continue // it has ended
		}
		all.CPU += l.cpu
		all.MemoryMB += l.memoryMB
		s.descriptors(pid, &all, sockets)
	}
	all.Connections = sockets.connected()
	for range exactLooks {
		if s.Doubt == 0 || all.MemoryMB <= s.Doubt {
			break
		}
		if pids, err = s.members(); err != nil {
			return Sample{}, err
		}
		all.MemoryMB = min(all.MemoryMB, exactMB(pids))
	}
	return all, nil
}

// exactLooks is how often memory in doubt is looked at again. Two: who is being
// started has a program of its own within a millisecond, and so much time does
// each look take if there is so much to see.
const exactLooks = 2

// members returns the pids of the tree.
func (s Sampler) members() ([]int, error) {
	pids, err := s.walk()
	if errors.Is(err, errors.ErrUnsupported) {
		pids, err = s.search()
	}
	return pids, err
}

// walk returns the pids of the tree, parents before their children. It costs as
// much as the tree is large; a search costs as much as the machine is busy.
func (s Sampler) walk() (pids []int, err error) {
	for next := []int{s.Root}; len(next) > 0; next = next[1:] {
		below, err := children(next[0])
		if err != nil && (next[0] == s.Root || errors.Is(err, errors.ErrUnsupported)) {
			return nil, err
		}
		for _, pid := range below {
			if !s.foreign(pid) {
				pids, next = append(pids, pid), append(next, pid)
			}
		}
	}
	return pids, nil
}

// search does the same where the kernel does not list children. It leaves out
// zombies, and with them the CPU time of who was not waited for.
func (s Sampler) search() (pids []int, err error) {
	tree := Tree{Root: s.Root}
	members, err := tree.Members()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if s.foreign(m.PID) {
			tree.Except = append(tree.Except, m.PID)
		}
	}
	if tree.Except != nil {
		members, err = tree.Members()
	}
	for _, m := range members {
		pids = append(pids, m.PID)
	}
	return pids, err
}

func (s Sampler) foreign(pid int) bool {
	if len(s.Foreign) == 0 {
		return false
	}
	environ, err := proc.Environ(pid)
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if slices.Contains(s.Foreign, string(entry)) {
			return true
		}
	}
	return false
}

// descriptors adds what the process has open.
func (s Sampler) descriptors(pid int, all *Sample, sockets socketSet) {
	if !s.FDs && !s.Connections && s.Cap == 0 {
		return
	}
	dir, err := os.Open(file(pid, "fd"))
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	if s.Cap > 0 {
		_ = CapFDs(pid, s.Cap) // it may have ended
	}
	if s.FDs {
		var bound unix.Rlimit
		all.FDs += len(names)
		if unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &bound) == nil && uint64(len(names)) >= bound.Cur {
			all.Capped = true
		}
	}
	if s.Connections {
		for _, name := range names {
			sockets.add(pid, name)
		}
	}
}

// children returns the children of a process, zombies included: the CPU time of
// one that nobody has waited for stands nowhere else.
func children(pid int) (pids []int, err error) {
	dir, err := os.Open(file(pid, "task"))
	if err != nil {
		return nil, fmt.Errorf("list children of process %d: %w", pid, err)
	}
	defer dir.Close()
	threads, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list children of process %d: %w", pid, err)
	}
	for _, thread := range threads {
		data, err := os.ReadFile(file(pid, "task/"+thread+"/children"))
		if errors.Is(err, fs.ErrNotExist) && thread == threads[0] {
			if _, err := os.Stat(file(pid, "task/"+thread)); err == nil {
				// CONFIG_PROC_CHILDREN is off, which no distribution does.
				return nil, fmt.Errorf("list children of process %d: kernel does not tell: %w", pid, errors.ErrUnsupported)
			}
		}
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids, nil
}

// load is what one process uses, and what those have used that it waited for.
type load struct {
	cpu      time.Duration
	memoryMB float64
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// system that Go knows.
const tick = time.Second / 100

// readLoad reads the numbers of a process from its stat file. procfs could, but
// compiles so many patterns when a program begins (0.4 ms and more) that every
// client would pay for it.
func readLoad(pid int) (load, error) {
	data, err := os.ReadFile(file(pid, "stat"))
	if err != nil {
		return load{}, err
	}
	// The name, field 2, may hold anything, also parentheses and spaces; what
	// follows is field 3 and on, numbered as in proc_pid_stat(5).
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) <= 24-3 {
		return load{}, fmt.Errorf("read stat of process %d: only %d fields", pid, len(fields)+2)
	}
	var n [25]int64
	for _, i := range []int{14, 15, 16, 17, 24} {
		if n[i], err = strconv.ParseInt(string(fields[i-3]), 10, 64); err != nil {
			return load{}, fmt.Errorf("read stat of process %d: field %d: %w", pid, i, err)
		}
	}
	return load{
		cpu:      time.Duration(n[14]+n[15]+n[16]+n[17]) * tick,
		memoryMB: float64(n[24]) * float64(os.Getpagesize()) / (1 << 20),
	}, nil
}

// exactMB is the memory of the processes together, what several share counted
// once. Of those that do not show it (a set-uid program), it is what is resident.
func exactMB(pids []int) (sum float64) {
	for _, pid := range pids {
		// A line of the file is "Pss:  1234 kB".
		data, err := os.ReadFile(file(pid, "smaps_rollup"))
		_, after, found := bytes.Cut(data, []byte("\nPss:"))
		if f := bytes.Fields(after); err == nil && found && len(f) > 0 {
			kb, _ := strconv.ParseFloat(string(f[0]), 64)
			sum += kb / 1024
		} else if l, err := readLoad(pid); err == nil {
			sum += l.memoryMB
		}
	}
	return sum
}

func file(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
