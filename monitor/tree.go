package monitor

import (
	"cmp"
	"errors"
	"slices"
	"syscall"

	"weft/internal/proc"
)

// Tree defines by which marks the processes of one task are recognised. The zero value has
// no members. Neither the calling process nor kernel threads are ever members.
type Tree struct {
	// Root is the process whose descendants are members: the task's consumer. It is not a
	// member itself. The caller must know that it is alive, so that the pid is valid. 0
	// means none.
	Root int

	// Session and Group are the session and the process group whose processes are members.
	// 0 means none.
	Session int
	Group   int

	// First is a process that started before everything else of the task, such as its
	// consumer, if the caller knows one. Then no older process is a member; its pid does
	// not count as Session or Group once another process has it; and after a reboot the
	// tree is empty. A Tree that was stored, or whose task may have ended, needs it: a pid
	// that is free again may have become the session of a foreign process. The zero value
	// means that none is known.
	First Process

	// Cookie are environment entries such as "WEFT_TID=1234". A process whose environment
	// held all of them when it was executed is a member. Only processes of the caller's own
	// user are checked. Empty means none.
	Cookie []string

	// Except are pids that are not members and pass no membership on: their descendants are
	// members only by their own marks.
	Except []int

	// Foreign are environment entries. A process that was executed with one of them is
	// treated as if it were in Except.
	Foreign []string
}

// A Process is one process of one boot of this machine; another one that gets its pid later
// is not the same. The zero value is none.
type Process struct {
	PID   int    `json:"pid"`
	Ticks uint64 `json:"ticks"` // when it started, in clock ticks since boot
	Boot  string `json:"boot"`  // the id of the boot
}

// Members returns the processes of the tree that run now, in the order of their pids. It
// misses none that runs when it returns, but those found continue meanwhile: they may have
// ended or started others before the caller acts.
func (t Tree) Members() ([]Process, error) {
	var all []Process
	err := newSearch(t).scan(func(m member) { all = append(all, Process(m.Identity)) })
	slices.SortFunc(all, func(a, b Process) int { return cmp.Compare(a.PID, b.PID) })
	return all, err
}

// Signal sends sig to every member that one scan finds. A member that has ended meanwhile
// is no error. The errors of those that may not be signalled (EPERM) are joined; the others
// have been signalled.
func (t Tree) Signal(sig syscall.Signal) error {
	var errs []error
	err := newSearch(t).scan(func(m member) {
		if err := m.Signal(sig); err != nil && !errors.Is(err, proc.ErrGone) {
			errs = append(errs, err)
		}
	})
	return errors.Join(append(errs, err)...)
}

// A member is a process of the tree; stopped tells its state when it was read.
type member struct {
	proc.Identity
	stopped bool
}

// processes are all processes of the machine by pid, zombies included: they still link
// their children to their parents if a child was read before its parent died.
type processes map[int]proc.Stat

// pick returns those of the candidates that are members, zombies included, in their order.
// self is the calling process. marked is called for a process for which all gives no reason
// to be a member, foreign for one that would be.
func (t Tree) pick(all processes, candidates []int, self int, marked, foreign func(proc.Stat) bool) []int {
	holder, found := all[t.First.PID]
	reused := found && holder.Ticks != t.First.Ticks
	owns := func(mark, number int) bool {
		return mark > 0 && mark == number && !(reused && mark == t.First.PID)
	}

	verdicts := make(map[int]bool)
	var belongs func(proc.Stat) bool
	inherits := func(s proc.Stat) bool {
		// A parent never starts after its child, adoptive parents included. If it seems so,
		// the parent's pid has been reused since the child was read.
		parent, ok := all[s.PPID]
		return ok && parent.Ticks <= s.Ticks && (parent.PID == t.Root || belongs(parent))
	}
	belongs = func(s proc.Stat) bool {
		verdict, known := verdicts[s.PID]
		if known {
			return verdict
		}
		// Pids that are reused during a scan can make parents look like a cycle, which ends
		// here.
		verdicts[s.PID] = false
		if s.Kernel || s.PID == self || s.PID == t.Root || s.Ticks < t.First.Ticks || slices.Contains(t.Except, s.PID) {
			return false
		}
		// The expensive checks come last.
		verdict = (owns(t.Session, s.Session) || owns(t.Group, s.Group) || inherits(s) || marked(s)) && !foreign(s)
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
