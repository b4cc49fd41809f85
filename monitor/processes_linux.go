package monitor

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"weft/internal/proc"
)

// maxProbes is how many new pids are tried one by one. Beyond that it is cheaper to list
// all processes again.
const maxProbes = 1000

// A processTable keeps the processes of the machine up to date. Together, list and advance
// leave no gap: a process that runs when advance finds nothing new is in the table. Either
// it existed when the last list began, and the kernel lists every process that exists all
// the while; or it got its pid later, and that pid was tried. A process that is still being
// forked may be missed; then its parent is in the table.
type processTable struct {
	all  processes
	last int // all pids up to this one have been tried
}

// list reads the table anew and returns all pids in it.
func (r *processTable) list() ([]int, error) {
	last, err := proc.LastPID()
	if err != nil {
		return nil, err
	}
	r.last, r.all = last, make(processes)
	for range maxRounds {
		pids, err := listed()
		if err != nil {
			return nil, err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { _, ok := r.all[pid]; return ok })
		found, err := r.enter(pids)
		if err != nil {
			return nil, err
		}
		if len(found) == len(pids) {
			break
		}
		// A process that was listed but could not be read may have been forking a child,
		// which was not listed yet.
	}
	return slices.Collect(maps.Keys(r.all)), nil
}

// listed returns the pids that /proc lists.
func listed() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// advance adds the processes that have started since the last call, and returns their pids.
func (r *processTable) advance() ([]int, error) {
	last, err := proc.LastPID()
	if err != nil || last == r.last {
		return nil, err
	}
	if last < r.last || last > r.last+maxProbes {
		return r.list()
	}
	var pids []int
	// rising, as parents come before their children
	for pid := r.last + 1; pid <= last; pid++ {
		pids = append(pids, pid)
	}
	r.last = last
	return r.enter(pids)
}

// enter reads the processes with the given pids, in this order, and their parents where
// those are missing. It returns the pids of the processes that exist.
func (r *processTable) enter(pids []int) ([]int, error) {
	var found []int
	for _, pid := range pids {
		switch err := r.read(pid); {
		case err == nil:
			found = append(found, pid)
		case !errors.Is(err, proc.ErrGone):
			return nil, err
		}
	}
	for _, pid := range found {
		if err := r.link(pid); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// read adds the process as it is now, or removes it and returns [proc.ErrGone].
func (r *processTable) read(pid int) error {
	s, err := proc.Read(pid)
	if err != nil {
		delete(r.all, pid)
		return err
	}
	r.all[pid] = s
	return nil
}

// link makes sure that the table holds the parents of a process. A parent is missing if it
// died and was reaped after its child was read, so that the child has another parent by
// now.
func (r *processTable) link(pid int) error {
	for {
		s, ok := r.all[pid]
		if !ok || s.PPID == 0 {
			return nil
		}
		if _, ok := r.all[s.PPID]; ok {
			return nil
		}
		err := r.read(s.PPID)
		if err == nil {
			pid = s.PPID
			continue
		}
		if errors.Is(err, proc.ErrGone) {
			err = r.read(pid)
		}
		switch {
		case errors.Is(err, proc.ErrGone):
			return nil
		case err != nil:
			return err
		case r.all[pid].PPID == s.PPID:
			// The parent exists but is not shown: /proc is mounted with hidepid.
			return nil
		}
	}
}
