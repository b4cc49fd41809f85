package taskspec

import (
	"fmt"
	"slices"
)

// Status is where a task is in its life:
//
//	created → spawning → running → completed | failed | timeout | cancelled | killed
//
// A task may end from every status on that way. The five ends are terminal.
type Status string

// The statuses of a task.
const (
	StatusCreated   Status = "created"   // submitted, not dispatched yet
	StatusSpawning  Status = "spawning"  // given to a consumer
	StatusRunning   Status = "running"   // its message is reserved, its work begins
	StatusCompleted Status = "completed" // ended well
	StatusFailed    Status = "failed"    // ended badly, could not start, or was lost
	StatusTimeout   Status = "timeout"   // took longer than spec.timeout
	StatusCancelled Status = "cancelled" // ended by STOP
	StatusKilled    Status = "killed"    // ended by KILL or by a limit
)

// Terminal reports whether a task with this status has ended.
func (s Status) Terminal() bool {
	switch s {
	case StatusCompleted, StatusFailed, StatusTimeout, StatusCancelled, StatusKilled:
		return true
	}
	return false
}

// Statuses returns all statuses, in the order of a task's life.
func Statuses() []Status {
	return []Status{
		StatusCreated, StatusSpawning, StatusRunning,
		StatusCompleted, StatusFailed, StatusTimeout, StatusCancelled, StatusKilled,
	}
}

// Unfinished returns the statuses of tasks that have not ended.
func Unfinished() []Status { return []Status{StatusCreated, StatusSpawning, StatusRunning} }

// Failures returns the statuses of tasks that ended badly, and not because somebody stopped
// them.
func Failures() []Status { return []Status{StatusFailed, StatusTimeout, StatusKilled} }

// Valid reports whether s is one of the eight statuses.
func (s Status) Valid() bool {
	return slices.Contains(Statuses(), s)
}

// TransitionError says that a change of status is not allowed.
type TransitionError struct {
	From, To Status
}

// Error names both statuses and says why.
func (e *TransitionError) Error() string {
	reason := "there is no such transition"
	if e.From.Terminal() {
		reason = "it has ended"
	}
	return fmt.Sprintf("change task from %q to %q: %s", e.From, e.To, reason)
}

// Transition returns nil where a living task may go from one status to the
// other, and a *[TransitionError] where it may not; staying in a status is no
// transition. The two ways back to created have names of their own, [Retry]
// and [Undispatch], so that nobody takes them by accident.
func Transition(from, to Status) error {
	allowed := false
	switch from {
	case StatusCreated:
		allowed = to == StatusSpawning || to.Terminal()
	case StatusSpawning:
		allowed = to == StatusRunning || to.Terminal()
	case StatusRunning:
		allowed = to.Terminal()
	}
	if !allowed {
		return &TransitionError{From: from, To: to}
	}
	return nil
}

// Retry returns nil where a task may be run again, that is where it has ended,
// and a *[TransitionError] to created otherwise.
func Retry(from Status) error {
	if !from.Terminal() {
		return &TransitionError{From: from, To: StatusCreated}
	}
	return nil
}

// Undispatch returns nil where a task may be taken back from a consumer that
// died before the work began, that is where it is spawning, and a
// *[TransitionError] to created otherwise.
func Undispatch(from Status) error {
	if from != StatusSpawning {
		return &TransitionError{From: from, To: StatusCreated}
	}
	return nil
}
