package monitor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"weft/internal/proc"
)

// Sample measures the processes. It misses those that start or end meanwhile, the
// descriptors of other users' processes (set-uid programs), and the CPU time of a process
// whose parent ignores SIGCHLD; all others that have ended count through the process that
// waited for them. Once the process itself has ended it returns an error that wraps
// [os.ErrProcessDone], unless Subreaper is set.
func (r *ResourceMonitor) Sample() (Sample, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := Sample{At: time.Now(), CPU: r.reaped}
	pids, err := r.members()
	if err != nil {
		return Sample{}, err
	}
	sockets := make(socketSet)
	for _, pid := range pids {
		cpu, memoryMB, err := readUse(pid)
		if err != nil {
			continue // it has ended
		}
		all.CPU += cpu
		all.MemoryMB += memoryMB
		r.descriptors(pid, &all, sockets)
	}
	all.Connections = sockets.connected()
	for range exactSamples {
		if r.Limits.MemoryMB == nil || all.MemoryMB <= *r.Limits.MemoryMB {
			break
		}
		if pids, err = r.members(); err != nil {
			return Sample{}, err
		}
		all.MemoryMB = min(all.MemoryMB, exactMB(pids))
	}
	if r.Subreaper {
		r.reaped += reapOrphans(r.PID)
	}
	return all, nil
}

// Reap removes the zombies that the process has left to the calling one, a subreaper, unless
// a sample is being taken, which does the same.
func (r *ResourceMonitor) Reap() {
	if r.Subreaper && r.mu.TryLock() {
		r.reaped += reapOrphans(r.PID)
		r.mu.Unlock()
	}
}

// exactSamples is how often memory above its limit is measured again, exactly. Resident
// memory is cheap to read, but counts what processes share once for each of them, as after a
// fork; and a process that is being started seems for a short time as large as its parent.
// So it must not be the reason to kill a process. Two are enough: a process that is being
// started has executed its program within a millisecond, and each measurement of so many
// processes takes that long.
const exactSamples = 2

// members returns the pids of the processes that count.
func (r *ResourceMonitor) members() ([]int, error) {
	root, pids := os.Getpid(), []int(nil)
	if !r.Subreaper {
		stat, err := proc.Read(r.PID)
		if err == nil && r.started == 0 {
			r.started = stat.Ticks
		}
		if errors.Is(err, proc.ErrGone) || err == nil && (stat.Ended() || stat.Ticks != r.started) {
			err = os.ErrProcessDone
		}
		if err != nil {
			return nil, fmt.Errorf("measure process %d: %w", r.PID, err)
		}
		root, pids = r.PID, []int{r.PID}
	}
	below, err := r.walk(root)
	if errors.Is(err, errors.ErrUnsupported) {
		below, err = r.search(root)
	}
	return append(pids, below...), err
}

// walk returns the pids of the processes below root, parents before their children. Its cost
// depends on their number; that of a search on the number of all processes.
func (r *ResourceMonitor) walk(root int) (pids []int, err error) {
	for next := []int{root}; len(next) > 0; next = next[1:] {
		below, err := children(next[0])
		if err != nil && (next[0] == root || errors.Is(err, errors.ErrUnsupported)) {
			return nil, err
		}
		for _, pid := range below {
			if !bears(pid, r.Foreign) {
				pids, next = append(pids, pid), append(next, pid)
			}
		}
	}
	return pids, nil
}

// search is walk for kernels that do not list children. It leaves out zombies, and with
// them the CPU time of processes that have not been waited for.
func (r *ResourceMonitor) search(root int) (pids []int, err error) {
	members, err := Tree{Root: root, Foreign: r.Foreign}.Members()
	for _, m := range members {
		pids = append(pids, m.PID)
	}
	return pids, err
}

// descriptors adds the open descriptors of the process.
func (r *ResourceMonitor) descriptors(pid int, all *Sample, sockets socketSet) {
	limits := r.Limits
	if limits.MaxFDs == nil && limits.MaxConnections == nil && !r.Everything {
		return
	}
	dir, err := os.Open(file(pid, "fd"))
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	if limits.MaxFDs != nil {
		_ = CapFDs(pid, *limits.MaxFDs) // it may have ended
	}
	if limits.MaxFDs != nil || r.Everything {
		var bound unix.Rlimit
		all.FDs += len(names)
		if unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &bound) == nil && uint64(len(names)) >= bound.Cur {
			all.Capped = true
		}
	}
	if limits.MaxConnections != nil || r.Everything {
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

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every system that
// Go supports.
const tick = time.Second / 100

// readUse returns what a process uses, with the children that it has waited for.
func readUse(pid int) (cpu time.Duration, memoryMB float64, err error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0, err
	}
	stat, err := p.Stat()
	if err != nil {
		return 0, 0, err
	}
	ticks := time.Duration(stat.UTime+stat.STime) + time.Duration(stat.CUTime+stat.CSTime)
	return ticks * tick, float64(stat.ResidentMemory()) / (1 << 20), nil
}

// exactMB returns the memory of the processes together, with shared memory counted once.
// For processes that do not show it (set-uid programs) it is the resident memory.
func exactMB(pids []int) (sum float64) {
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		if err != nil {
			continue // it has ended
		}
		if maps, err := p.ProcSMapsRollup(); err == nil {
			sum += float64(maps.Pss) / (1 << 20)
		} else if _, memoryMB, err := readUse(pid); err == nil {
			sum += memoryMB
		}
	}
	return sum
}

func file(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
