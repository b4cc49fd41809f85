package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Group is a cgroup (version 2) for one tree. The kernel bounds its memory: when the tree
// needs more and nothing can be freed, the kernel kills all of it. Use [NewGroup] to make
// one, and start the tree's first process inside it.
type Group struct {
	dir *os.File
}

// groupPrefix is the prefix of the name of every group. A group that is empty and older
// than staleAfter is no longer in use: a process enters it as soon as it is made.
const (
	groupPrefix = "weft-"
	staleAfter  = time.Minute
)

// NewGroup makes a cgroup called "weft-" and the name, which may use memoryMB MiB of memory
// and no swap. It makes it below the caller's own cgroup, or beside it if that was
// delegated. An error says why that is impossible: mostly because the kernel gives no
// controllers to a group below one that has processes itself, and nothing was delegated.
// NewGroup also removes stale groups, left by processes that were killed.
func NewGroup(name string, memoryMB float64) (*Group, error) {
	homes, err := homes()
	if err != nil {
		return nil, fmt.Errorf("make cgroup %s: %w", name, err)
	}
	var errs []error
	for _, home := range homes {
		g, err := newGroup(filepath.Join(home, groupPrefix+name), int64(memoryMB*(1<<20)))
		if err == nil {
			reclaim(home, time.Now().Add(-staleAfter))
			return g, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("make cgroup %s: %w", name, errors.Join(errs...))
}

func newGroup(path string, limit int64) (*Group, error) {
	if err := controlMemory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	g := &Group{dir: dir}
	err = errors.Join(
		write(g.file("memory.oom.group"), "1"),
		write(g.file("memory.max"), strconv.FormatInt(limit, 10)),
	)
	// Without this file the kernel does not count swap.
	if swap := write(g.file("memory.swap.max"), "0"); !errors.Is(swap, fs.ErrNotExist) {
		err = errors.Join(err, swap)
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// reclaim removes the empty groups below home that are older than then.
func reclaim(home string, then time.Time) {
	groups, _ := filepath.Glob(filepath.Join(home, groupPrefix+"*"))
	for _, path := range groups {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(then) {
			_ = unix.Rmdir(path) // fails for a group that is in use
		}
	}
}

// controlMemory enables the memory controller for groups below home.
func controlMemory(home string) error {
	file := filepath.Join(home, "cgroup.subtree_control")
	enabled, err := os.ReadFile(file)
	if err != nil || slices.Contains(strings.Fields(string(enabled)), "memory") {
		return err
	}
	return write(file, "+memory")
}

// FD returns the descriptor for [syscall.SysProcAttr.CgroupFD].
func (g *Group) FD() int { return int(g.dir.Fd()) }

// Add moves a running process into the group, with everything it starts later. The memory
// that it already has is still counted where it was.
func (g *Group) Add(pid int) error {
	if err := write(g.file("cgroup.procs"), strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("move process %d into a cgroup: %w", pid, err)
	}
	return nil
}

// PeakMB returns the peak of the tree's memory in MiB, or 0 if the kernel does not report
// it (before Linux 5.19).
func (g *Group) PeakMB() float64 {
	data, err := os.ReadFile(g.file("memory.peak"))
	if err != nil {
		return 0
	}
	bytes, _ := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
	return bytes / (1 << 20)
}

// OutOfMemory reports whether the kernel has killed the tree for its limit.
func (g *Group) OutOfMemory() bool {
	data, err := os.ReadFile(g.file("memory.events"))
	// A machine that is out of memory kills too, but then this limit was not reached.
	return err == nil && count(data, "oom") > 0 && count(data, "oom_kill") > 0
}

// count returns the number in the line of a flat keyed file that begins with key.
func count(data []byte, key string) (n int) {
	for line := range bytes.Lines(data) {
		if name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " "); name == key {
			n, _ = strconv.Atoi(value)
		}
	}
	return n
}

// Remove removes the group once the tree has ended. Processes that are still in it, such as
// a manager that the tree has started, are moved to the caller's own cgroup.
func (g *Group) Remove() error {
	defer g.dir.Close()
	members, err := os.ReadFile(g.file("cgroup.procs"))
	if err == nil && len(members) > 0 {
		mount, err := cgroupMount()
		if err != nil {
			return fmt.Errorf("empty cgroup %s: %w", g.dir.Name(), err)
		}
		own, err := ownCgroup(mount)
		if err != nil {
			return fmt.Errorf("empty cgroup %s: %w", g.dir.Name(), err)
		}
		for pid := range strings.FieldsSeq(string(members)) {
			// An error means that it has ended.
			_ = write(filepath.Join(own, "cgroup.procs"), pid)
		}
	}
	if err := os.Remove(g.dir.Name()); err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

func (g *Group) file(name string) string { return filepath.Join(g.dir.Name(), name) }

// write writes one value to a file of the kernel's. The file must exist: creating one would
// fail with a permission error.
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// homes returns the cgroups below which a group may be made, the best first. The parent of
// the caller's own cgroup is one of them if it is delegated and keeps its processes in
// subgroups (systemd's Delegate= with DelegateSubgroup=). A delegation further up is meant
// for another process: a user's service manager, for example, which sets limits for its
// services that a task must not leave.
func homes() ([]string, error) {
	mount, err := cgroupMount()
	if err != nil {
		return nil, err
	}
	own, err := ownCgroup(mount)
	if err != nil {
		return nil, err
	}
	if above := filepath.Dir(own); own != mount.point && delegated(above) {
		return []string{above, own}, nil
	}
	return []string{own}, nil
}

// delegated reports whether systemd has marked a cgroup as delegated to its user.
func delegated(dir string) bool {
	var value [8]byte
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// A mount is a mount point of the cgroup file system, and the cgroup that is its root.
type mount struct {
	point, root string
}

// cgroupMount finds the first mount of cgroup version 2.
func cgroupMount() (mount, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}, err
	}
	for line := range strings.Lines(string(data)) {
		// The fields are those of proc_pid_mountinfo(5): the fourth is the root, the fifth
		// the mount point; the type follows a single dash.
		before, after, _ := strings.Cut(line, " - ")
		if f := strings.Fields(before); len(f) > 4 && strings.HasPrefix(after, "cgroup2 ") {
			return mount{point: f[4], root: f[3]}, nil
		}
	}
	return mount{}, fmt.Errorf("no cgroup version 2 is mounted: %w", errors.ErrUnsupported)
}

// ownCgroup returns the folder of the caller's cgroup.
func ownCgroup(m mount) (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			below, err := filepath.Rel(m.root, path)
			if err != nil || below == ".." || strings.HasPrefix(below, "../") {
				return "", fmt.Errorf("own cgroup %s cannot be seen: %w", path, errors.ErrUnsupported)
			}
			return filepath.Join(m.point, below), nil
		}
	}
	return "", fmt.Errorf("no cgroup version 2 holds this process: %w", errors.ErrUnsupported)
}
