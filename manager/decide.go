package manager

import "time"

// The idle consumers of a manager: how many may wait for work, and how long. An idle
// consumer costs about 7 MB and saves a task the 3 ms of starting one.
const (
	maxIdle    = 4                // or the number of cores, if that is less
	idleLife   = 30 * time.Second // of each of them
	excessLife = 2 * time.Second  // of an idle consumer beyond maxIdle
)

// load is how busy the manager is.
type load struct {
	slots    int // how many tasks may run at once
	running  int // tasks that hold a slot, including survivors of an earlier manager
	idle     int // consumers that wait for work
	starting int // consumers that are being started
}

// free returns how many more tasks may run.
func (l load) free() int { return max(0, l.slots-l.running) }

// dispatchable returns how many requests can be dispatched now.
func (l load) dispatchable() int { return min(l.free(), l.idle) }

// shortage returns how many consumers to start for this number of waiting requests, and of
// slotless ones, which need no slot. It keeps one more than needed, so that the next request
// finds it ready, but only if something was dispatched just now, which active reports.
func (l load) shortage(waiting, slotless int, active bool) int {
	wanted := slotless + min(waiting, l.free())
	if active && wanted == 0 && l.free() > 0 {
		wanted = 1
	}
	return max(0, wanted-l.idle-l.starting)
}

// groupWait bounds the wait of a finished task for others to share its transaction.
const groupWait = 2 * time.Millisecond

// worthWaiting reports whether to wait for more tasks to end before they are recorded
// together: some have ended, more wait than can run, and the running ones keep every core
// busy.
func worthWaiting(ended, running, cores int) bool {
	return ended > 0 && ended < running && running > cores
}

// retired returns how many of the idle consumers to stop, given the times since which they
// are idle, oldest first, and the number of cores. next is when to call it again.
func retired(idle []time.Time, cores int, now time.Time) (leave int, next time.Time) {
	kept := min(maxIdle, cores)
	for i, since := range idle {
		life := idleLife
		if len(idle)-i > kept {
			life = excessLife
		}
		if end := since.Add(life); now.Before(end) {
			return i, end
		}
	}
	return len(idle), time.Time{}
}

// idleUntil returns when a manager without work exits, given the time since which it has
// none; the zero time means never.
func idleUntil(since time.Time, lifetime time.Duration) time.Time {
	if lifetime == 0 || since.IsZero() {
		return time.Time{}
	}
	return since.Add(lifetime)
}

// earliest returns the first of the times that are not zero.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
