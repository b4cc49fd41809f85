//go:build !linux

package attempt

import "weft/taskspec"

type running struct{}

// Start returns the outcome of a command that cannot be started: that needs Linux.
func (a *Attempt) Start() *taskspec.Outcome {
	return notStarted(false, "%s: commands run on Linux only", a.Args[0])
}

// PID is never called.
func (a *Attempt) PID() int { return 0 }

// Wait is never called.
func (a *Attempt) Wait() Result { return Result{} }
