package manager

import "time"

// The spare consumers of a program: how many may wait for work, and how long.
// A spare costs about 7 MB and saves a task the 3 ms of a program's start.
const (
	maxSpares  = 4                // or the number of cores, if that is less
	spareLife  = 30 * time.Second // of a spare
	excessLife = 2 * time.Second  // of an idle consumer beyond the spares
)

// load is how busy the manager is.
type load struct {
	slots    int // how many tasks may run at once
	running  int // tasks that hold a slot, survivors of an earlier manager included
	idle     int // consumers that wait for work
	starting int // consumers that are being started
}

// free is how many more tasks may run.
func (l load) free() int { return max(0, l.slots-l.running) }

// dispatchable is how many requests can be given out now.
func (l load) dispatchable() int { return min(l.free(), l.idle) }

// shortage is how many consumers to start when so many requests wait, and so
// many nested ones, which need no slot. One more than needed is kept, so that
// the next request finds it warm; it is not started for its own sake, which is
// why active says whether anything was dispatched just now.
func (l load) shortage(waiting, nested int, active bool) int {
	wanted := nested + min(waiting, l.free())
	if active && wanted == 0 && l.free() > 0 {
		wanted = 1
	}
	return max(0, wanted-l.idle-l.starting)
}

// groupWait is the longest that the end of a task waits for others to share its
// transaction.
const groupWait = 2 * time.Millisecond

// worthWaiting reports whether to wait for more ends of tasks before they are
// recorded together: some have ended, more are waiting to run than can, and
// those that run keep every core busy meanwhile.
func worthWaiting(ended, running, cores int) bool {
	return ended > 0 && ended < running && running > cores
}

// retired says which of the idle consumers leave now, given since when each is
// idle, oldest first, and how many cores there are. next is when to ask again.
func retired(idle []time.Time, cores int, now time.Time) (leave int, next time.Time) {
	spares := min(maxSpares, cores)
	for i, since := range idle {
		life := spareLife
		if len(idle)-i > spares {
			life = excessLife
		}
		if end := since.Add(life); now.Before(end) {
			return i, end
		}
	}
	return len(idle), time.Time{}
}

// idleUntil is when a manager without work leaves, given since when it has had
// none; the zero time means never.
func idleUntil(since time.Time, lifetime time.Duration) time.Time {
	if lifetime == 0 || since.IsZero() {
		return time.Time{}
	}
	return since.Add(lifetime)
}

// earliest is the first of the moments that are not zero.
func earliest(moments ...time.Time) (first time.Time) {
	for _, t := range moments {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
