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

// A Sampler measures the processes below one that is a child subreaper ([Subreaper]), so
// that all of them are below it.
//
// It cannot see the descriptors of other users' processes (set-uid programs), nor the CPU
// time of a process whose parent ignores SIGCHLD. All other ended processes count through
// the process that waited for them.
type Sampler struct {
	Root int // not counted itself

	// Foreign are environment entries. A process that was executed with one of them does
	// not count, nor do its descendants.
	Foreign []string

	// FDs and Connections ask for descriptors and connections to be counted.
	FDs, Connections bool

	// Doubt is the memory in MiB above which it is measured exactly: a limit. 0 means
	// never.
	//
	// Resident memory is cheap to read, but counts what processes share once for each of
	// them, as after a fork; and a process that is being started seems for a short time as
	// large as its parent. So it must not be the reason to kill a process.
	Doubt float64

	// Cap is the limit with which every process of the tree is capped: see [CapFDs]. 0
	// means none.
	Cap int
}

// Sample measures the tree. Processes that start or end meanwhile may be missed.
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
	for range exactSamples {
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

// exactSamples is how often memory in doubt is measured again. Two are enough: a process
// that is being started has executed its program within a millisecond, and each measurement
// of so many processes takes that long.
const exactSamples = 2

// members returns the pids of the tree.
func (s Sampler) members() ([]int, error) {
	pids, err := s.walk()
	if errors.Is(err, errors.ErrUnsupported) {
		pids, err = s.search()
	}
	return pids, err
}

// walk returns the pids of the tree, parents before their children. Its cost depends on the
// size of the tree; that of a search on the number of all processes.
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

// search is walk for kernels that do not list children. It leaves out zombies, and with
// them the CPU time of processes that have not been waited for.
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

// descriptors adds the open descriptors of the process.
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

// children returns the children of a process, zombies included: the CPU time of one that
// has not been waited for is recorded nowhere else.
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
				// CONFIG_PROC_CHILDREN is off, as in no distribution.
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

// load is what one process uses, with the children that it has waited for.
type load struct {
	cpu      time.Duration
	memoryMB float64
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every system that
// Go supports.
const tick = time.Second / 100

// readLoad reads the numbers of a process from its stat file. procfs could, but compiles so
// many patterns at program start (0.4 ms and more) that every client would pay for it.
func readLoad(pid int) (load, error) {
	data, err := os.ReadFile(file(pid, "stat"))
	if err != nil {
		return load{}, err
	}
	// The name, field 2, may hold any bytes, also parentheses and spaces; field 3 follows
	// it, numbered as in proc_pid_stat(5).
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

// exactMB returns the memory of the processes together, with shared memory counted once.
// For processes that do not show it (set-uid programs) it is the resident memory.
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
