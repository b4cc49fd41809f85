package monitor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Controllers returns what a cgroup (version 2) could bound that this process
// makes below its own, such as "memory" and "cpu". The error says why it cannot
// make one. To find out, it makes an empty one and removes it.
func Controllers() (names []string, err error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, fmt.Errorf("find own cgroup: %w", err)
	}
	return delegated(own)
}

// delegated returns the controllers of a group that is made in the folder own
// and removed again.
func delegated(own string) (names []string, err error) {
	probe, err := os.MkdirTemp(own, "weft-probe-")
	if err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	list, err := os.ReadFile(filepath.Join(probe, "cgroup.controllers"))
	if err := errors.Join(err, os.Remove(probe)); err != nil {
		return nil, fmt.Errorf("probe cgroup: %w", err)
	}
	return strings.Fields(string(list)), nil
}

// errNoCgroup: version 2 is not there, or does not show our own group.
var errNoCgroup = errors.New("no cgroup of version 2")

// ownCgroup is the folder of this process's cgroup.
func ownCgroup() (string, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return locateCgroup(groups, mounts)
}

// locateCgroup finds the folder of a process's cgroup from what its files
// cgroup and mountinfo say: proc_pid_cgroup(5), proc_pid_mountinfo(5).
func locateCgroup(groups, mounts []byte) (string, error) {
	group, found := "", false
	for line := range strings.Lines(string(groups)) {
		if rest, ok := strings.CutPrefix(line, "0::"); ok {
			group, found = strings.TrimSuffix(rest, "\n"), true
		}
	}
	if !found {
		return "", errNoCgroup
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		dash := slices.Index(fields, "-")
		if dash < 5 || dash+1 >= len(fields) || fields[dash+1] != "cgroup2" {
			continue
		}
		root, place := fields[3], fields[4]
		// A mount may show only a part of the tree.
		if below, err := filepath.Rel(root, group); err == nil && filepath.IsLocal(below) {
			return filepath.Join(place, below), nil
		}
	}
	return "", errNoCgroup
}
