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

// maxProbes is up to how many new pids are tried one by one. Beyond that a new
// list of all processes is cheaper.
const maxProbes = 1000

// register keeps a census up to date. Together, list and advance leave no gap:
// a process that runs when advance finds nothing new is in the census. Either
// it was there when the last list began, and the kernel lists whoever is there
// all the while; or it got its pid later, and then that was tried. A process
// that is still being forked may be missed; then the one that forks it is
// there.
type register struct {
	all  census
	last int // everybody whose pid was handed out up to this one has been looked for
}

// list takes the census anew and returns all pids in it.
func (r *register) list() ([]int, error) {
	last, err := proc.LastPID()
	if err != nil {
		return nil, err
	}
	r.last, r.all = last, make(census)
	for range maxRounds {
		pids, err := listed()
		if err != nil {
			return nil, err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { _, ok := r.all[pid]; return ok })
		there, err := r.enter(pids)
		if err != nil {
			return nil, err
		}
		if len(there) == len(pids) {
			break
		}
		// Who was listed and could not be read may have had a child in the
		// making, which was not listed yet.
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

// advance enters the processes that have started since the last call, and
// returns their pids.
func (r *register) advance() ([]int, error) {
	last, err := proc.LastPID()
	if err != nil || last == r.last {
		return nil, err
	}
	if last < r.last || last > r.last+maxProbes {
		return r.list()
	}
	var pids []int
	// Rising, as parents come before their children.
	for pid := r.last + 1; pid <= last; pid++ {
		pids = append(pids, pid)
	}
	r.last = last
	return r.enter(pids)
}

// enter reads the processes that have the given pids, in this order, and their
// parents where those are missing. It returns the pids for which there was a
// process.
func (r *register) enter(pids []int) ([]int, error) {
	var there []int
	for _, pid := range pids {
		switch err := r.read(pid); {
		case err == nil:
			there = append(there, pid)
		case !errors.Is(err, proc.ErrGone):
			return nil, err
		}
	}
	for _, pid := range there {
		if err := r.link(pid); err != nil {
			return nil, err
		}
	}
	return there, nil
}

// read enters the process as it is now, or strikes it out and returns
// [proc.ErrGone].
func (r *register) read(pid int) error {
	s, err := proc.Read(pid)
	if err != nil {
		delete(r.all, pid)
		return err
	}
	r.all[pid] = s
	return nil
}

// link sees to it that the census holds the parents of a process. One is
// missing if it died and was reaped after its child was read, so that the child
// has another parent by now.
func (r *register) link(pid int) error {
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
			// The parent is there but not shown: /proc is mounted with hidepid.
			return nil
		}
	}
}
