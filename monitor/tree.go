package monitor

import (
	"cmp"
	"errors"
	"slices"
	"syscall"

	"weft/internal/proc"
)

// Tree says by which marks the processes of one task are recognised. The zero
// value has no members. Neither the calling process nor kernel threads are ever
// members.
type Tree struct {
	// Root is the process whose descendants belong: the task's consumer. It
	// does not belong itself. The caller must know that it is alive, so that
	// the pid is still its own. 0 means none.
	Root int

	// Session and Group are the session and the process group whose members
	// belong. 0 means none.
	Session int
	Group   int

	// First is a process that started before everything else of the task, such
	// as its consumer, where the caller knows one. Then nothing older belongs;
	// its pid counts for nothing as Session or Group once another process has
	// it; and after a reboot the tree is empty. A Tree that was stored, or
	// whose task may have ended, needs it: a pid that is free again may have
	// become the session of a stranger. The zero value means that none is
	// known.
	First proc.Identity

	// Cookie are environment entries such as "WEFT_TID=1234". A process whose
	// environment held all of them when it was executed belongs. Only processes
	// of the caller's own user are asked. Empty means none.
	Cookie []string

	// Except are pids that do not belong and from which nobody inherits: their
	// descendants belong only by a mark of their own.
	Except []int
}

// Members returns the processes of the tree that run now, in the order of their
// pids. It misses nobody who runs when it returns, but those found go on
// meanwhile: they may have ended or started others before the caller acts.
func (t Tree) Members() ([]proc.Identity, error) {
	var ids []proc.Identity
	err := newSearch(t).look(func(m member) { ids = append(ids, m.Identity) })
	slices.SortFunc(ids, func(a, b proc.Identity) int { return cmp.Compare(a.PID, b.PID) })
	return ids, err
}

// Signal sends sig to every member that one look finds. A member that has ended
// meanwhile is no error; of those that may not be signalled (EPERM) the errors
// are joined, and the others have been signalled.
func (t Tree) Signal(sig syscall.Signal) error {
	var errs []error
	err := newSearch(t).look(func(m member) {
		if err := m.Signal(sig); err != nil && !errors.Is(err, proc.ErrGone) {
			errs = append(errs, err)
		}
	})
	return errors.Join(append(errs, err)...)
}

// member is a process that belongs, and whether it was stopped when it was
// looked at.
type member struct {
	proc.Identity
	stopped bool
}

// census is every process of the machine by its pid, zombies included: they
// still link their children to their parents where a child was read before its
// parent died.
type census map[int]proc.Stat

// pick returns those of the candidates that belong, zombies included, in their
// order. self is the calling process. marked is asked about a process for which
// the census gives no reason to belong.
func (t Tree) pick(all census, candidates []int, self int, marked func(proc.Stat) bool) []int {
	holder, held := all[t.First.PID]
	reused := held && holder.Ticks != t.First.Ticks
	owns := func(mark, number int) bool {
		return mark > 0 && mark == number && !(reused && mark == t.First.PID)
	}

	verdicts := make(map[int]bool)
	var belongs func(proc.Stat) bool
	inherits := func(s proc.Stat) bool {
		// A parent never starts after its child, adoptive parents included. If
		// it seems so, the parent's pid has changed hands since the child was
		// read.
		parent, ok := all[s.PPID]
		return ok && parent.Ticks <= s.Ticks && (parent.PID == t.Root || belongs(parent))
	}
	belongs = func(s proc.Stat) bool {
		verdict, known := verdicts[s.PID]
		if known {
			return verdict
		}
		// Pids that change hands during a scan can make parents look like a
		// ring: here it ends.
		verdicts[s.PID] = false
		if s.Kernel || s.PID == self || s.PID == t.Root || s.Ticks < t.First.Ticks || slices.Contains(t.Except, s.PID) {
			return false
		}
		// The costly question comes last.
		verdict = owns(t.Session, s.Session) || owns(t.Group, s.Group) || inherits(s) || marked(s)
		verdicts[s.PID] = verdict
		return verdict
	}

	var pids []int
	for _, pid := range candidates {
		if s, ok := all[pid]; ok && belongs(s) {
			pids = append(pids, pid)
		}
	}
	return pids
}
