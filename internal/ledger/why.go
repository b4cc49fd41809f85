package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// Liveness is what looking at its processes says about a task whose record says that it
// runs.
type Liveness int

// The kinds of liveness.
const (
	Live       Liveness = iota // its consumer, or the program that it is called in, runs
	Lost                       // that is dead, and no process has recorded it yet
	Unverified                 // that cannot be seen from here
)

// Look looks at the process that runs the task. latest is the latest manager, in whose pid
// namespace consumers are; nil if it is not known. A task that does not run, and a pipeline,
// which has no process, is live.
func (t *Task) Look(latest *Manager) Liveness {
	if t.Status != taskspec.StatusRunning && t.Status != taskspec.StatusSpawning || t.Kind() == Pipeline {
		return Live
	}
	return liveness(t.Consumer.Check(), func() bool { return latest != nil && latest.Elsewhere() })
}

// liveness judges what checking a process has returned. A process of another pid namespace
// seems to be gone.
func liveness(checked error, elsewhere func() bool) Liveness {
	switch {
	case checked == nil:
		return Live
	case !errors.Is(checked, proc.ErrGone) || elsewhere():
		return Unverified
	}
	return Lost
}

// Surroundings are what a task may wait for that its record does not tell.
type Surroundings struct {
	Now         time.Time // its location is that of the times in a [Reason]
	Manager     *Manager  // the latest one, nil if it is not known
	Managed     bool      // a manager runs
	Stopped     bool      // a signal has stopped it
	FullDisk    string    // the folder without room for what tasks print; empty if there is room
	SlotsInUse  int
	Quarantined broker.ID               // requests up to it are not run; 0: all are
	HasItem     func(queue string) bool // whether a queue holds a message
	// KeyUse returns how many tasks were admitted with a concurrency key, and how many may be.
	KeyUse func(key string) (running, limit int)
}

// A Reason says why a task does not go on. The zero value is none: it does, as far as is
// known.
type Reason struct {
	Code string // one word for programs: "slot"
	Text string // for people, one line, which goes on after the name of the task
}

// Reason returns why the task, which has not ended, does not go on.
func (t *Task) Reason(live Liveness, s Surroundings) Reason {
	if t.Status == taskspec.StatusCreated {
		return t.waitsFor(s)
	}
	switch {
	case live == Lost:
		return Reason{"lost", fmt.Sprintf("its consumer (pid %d) is gone: %s", t.Consumer.PID, s.recordedBy())}
	case live == Unverified:
		return Reason{"unverified", fmt.Sprintf("its consumer (pid %d) cannot be seen from here, as in another pid namespace", t.Consumer.PID)}
	case t.Kind() != Pipeline && t.Consumer.Stopped():
		return Reason{"consumer_stopped", fmt.Sprintf("its consumer (pid %d) is stopped: kill -CONT %[1]d lets it go on", t.Consumer.PID)}
	case t.Ordered != "":
		return Reason{"stopping", "was told to end"}
	case t.Paused:
		return Reason{"paused", "is paused: weft task resume lets it go on"}
	case s.FullDisk != "":
		return Reason{"disk_full", "may wait with what it prints: the disk is full: make room in " + s.FullDisk}
	case t.traits().items && t.Message == 0:
		return Reason{"item", "waits for an item of queue " + t.inbox()}
	}
	return Reason{}
}

// recordedBy says what records that a task is lost.
func (s Surroundings) recordedBy() string {
	switch {
	case !s.Managed:
		return "weft manager start records it"
	case s.Stopped:
		return "the manager records it when it goes on"
	}
	return "the manager is about to record it"
}

// inbox returns the queue that the task takes its items from.
func (t *Task) inbox() string {
	if t.In != "" {
		return t.In
	}
	return t.Queues().Inbox
}

// waitsFor returns what the task waits for, which has not started.
func (t *Task) waitsFor(s Surroundings) Reason {
	switch {
	case t.Number() <= s.Quarantined:
		return Reason{"trust", "waits for trust in the project: weft trust"}
	case t.Inline != "" && t.lane() == "":
		return Reason{"function", "waits for a program that serves function " + t.Inline}
	case !s.Managed && t.Inline == "":
		return Reason{"manager", "waits for a manager, and none runs: weft manager start"}
	case s.Stopped && t.Inline == "":
		return Reason{"manager_stopped", fmt.Sprintf("waits for the manager (pid %d), which is stopped: kill -CONT %[1]d lets it go on", s.Manager.Process.PID)}
	case t.NotBefore != 0 && t.Epoch > 0:
		return Reason{"retry", fmt.Sprintf("waits for attempt %d of %d at %s", t.Epoch-t.Base+1, t.MaxAttempts, s.clock(t.NotBefore))}
	case t.NotBefore != 0:
		return Reason{"delay", "waits until " + s.clock(t.NotBefore)}
	case AwaitsKey(t):
		running, limit := s.KeyUse(t.Concurrency.Key)
		return Reason{"concurrency", fmt.Sprintf("waits for concurrency key %s: %d of %d run", t.Concurrency.Key, running, limit)}
	case WaitsFor(t) != "" && !s.HasItem(t.In):
		return Reason{"item", "waits for an item of queue " + t.In}
	case s.FullDisk != "":
		return Reason{"disk_full", "waits for room on the disk, which is full: make room in " + s.FullDisk}
	case t.holdsSlot() && s.Manager != nil && s.Manager.Slots > 0 && s.SlotsInUse >= s.Manager.Slots:
		return Reason{"slot", fmt.Sprintf("waits for a slot: %d of %d in use", s.SlotsInUse, s.Manager.Slots)}
	case WaitsFor(t) != "":
		return Reason{"item", "waits for its turn at queue " + t.In}
	}
	return Reason{}
}

// clock returns a time as a person reads it, and how long that is from now.
func (s Surroundings) clock(ns int64) string {
	at, layout := time.Unix(0, ns).In(s.Now.Location()), time.TimeOnly
	if at.YearDay() != s.Now.YearDay() || at.Year() != s.Now.Year() {
		layout = time.DateTime
	}
	left := max(at.Sub(s.Now), 0)
	left = left.Round(100 * time.Millisecond)
	if left >= time.Minute {
		left = left.Round(time.Second)
	}
	text := left.String()
	if left >= time.Hour {
		text = strings.TrimSuffix(left.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%s (in %s)", at.Format(layout), text)
}

// Survey returns the surroundings of tasks, as far as the store knows them.
func Survey(r broker.Reader, now time.Time) (s Surroundings, err error) {
	s = Surroundings{Now: now}
	if s.Manager, err = latestManager(r); err == nil {
		s.SlotsInUse, err = SlotsInUse(r)
	}
	return s, err
}

// RecentFailures counts the tasks that failed, timed out or were killed after since. It reads
// no more than the newest most of each of these, so that its cost is bounded; whole is false
// if there may be more.
func RecentFailures(r broker.Reader, since time.Time, most int) (n int, whole bool, err error) {
	const page = 50
	whole = true
	for _, status := range taskspec.Failures() {
		sel := broker.RecordSelect{States: []string{string(status)}, Newest: true, Limit: page}
		for read := 0; ; read += page {
			recs, err := r.Records(Kind, sel)
			if err != nil {
				return 0, false, err
			}
			recent := 0
			for _, rec := range recs {
				if t, err := Decode(rec); err == nil && t.Completed > since.UnixNano() {
					recent++
				}
			}
			n += recent
			if len(recs) < page || recent == 0 {
				break // what was submitted before these has ended long ago, as a rule
			}
			if read >= most {
				whole = false
				break
			}
			sel.BeforeRank = recs[page-1].Rank
		}
	}
	return n, whole, nil
}
