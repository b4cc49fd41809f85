// Package proc identifies processes so that an identity never comes to mean another
// process.
//
// A pid does not suffice: the kernel reuses it. An [Identity] adds the start time of the
// process, in clock ticks since boot, and the boot itself. It can be stored, compared with
// ==, and used after a restart. Unlike a time of day it does not change when the clock is
// set.
//
// Every operation first checks that the pid still belongs to the process that is meant.
// [Identity.Signal] and [Identity.Wait] hold a pidfd (Linux 5.3) meanwhile, so that nothing
// can change between the check and the operation.
//
// The one assumption is that a pid is not reused within one clock tick (10 ms).
//
// On systems other than Linux every function that returns an error returns one that wraps
// [errors.ErrUnsupported].
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrGone is returned if the process has ended, whether or not its parent has reaped it,
// and if its pid belongs to another process by now.
var ErrGone = errors.New("process is gone")

// ErrChanging is returned if a process is in the middle of an exec or an exit: the
// environment of its program is gone, and that of a new one cannot be read yet. That lasts
// as long as it takes to load a program.
var ErrChanging = errors.New("process is in an exec or an exit")

// Identity is one process of one boot of this machine. The zero value is no
// process: it is not alive, and signalling it returns [ErrGone].
type Identity struct {
	PID   int    `json:"pid"`   // the process's id (never that of one of its threads) in this pid namespace
	Ticks uint64 `json:"ticks"` // when it started, in clock ticks since boot: [Stat.Ticks]
	Boot  string `json:"boot"`  // the boot it belongs to: [Boot]
}

// Self returns the identity of the calling process.
func Self() (Identity, error) {
	return Of(os.Getpid())
}

// Of returns the identity of the process that has the given pid now. It returns [ErrGone]
// if there is none, or only a zombie. A pid that was read earlier may have been reused:
// take the identity while the process is known to be alive, as a child is until it is
// waited for.
func Of(pid int) (Identity, error) {
	boot, err := Boot()
	if err != nil {
		return Identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	stat, err := Read(pid)
	if err == nil && stat.Ended() {
		err = ErrGone
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return Identity{PID: pid, Ticks: stat.Ticks, Boot: boot}, nil
}

// Alive reports whether the process still runs; a zombie does not. If that cannot be
// determined, for example without free descriptors, it returns true: taking a running
// process for dead would run its task twice.
func (id Identity) Alive() bool {
	return !errors.Is(id.Check(), ErrGone)
}

// Stopped reports whether a signal has stopped the process.
func (id Identity) Stopped() bool {
	s, err := Read(id.PID)
	return err == nil && s.Ticks == id.Ticks && (s.State == 'T' || s.State == 't')
}

// Signal sends sig to the process. It returns [ErrGone] if the process has ended, and an
// error wrapping EPERM if it belongs to another user. It never signals another process: if
// the kernel has no pidfd it returns an error that wraps [errors.ErrUnsupported]. A nil
// error means that the signal was sent, not that it had an effect.
func (id Identity) Signal(sig syscall.Signal) error {
	if err := id.signal(sig); err != nil {
		return fmt.Errorf("send signal %d to process %d: %w", int(sig), id.PID, err)
	}
	return nil
}

// Wait returns nil when the process has ended, at once if it already has. The process need
// not be a child of the caller, and it is not reaped. If ctx is done first, Wait returns
// ctx.Err().
func (id Identity) Wait(ctx context.Context) error {
	err := id.wait(ctx)
	switch {
	case errors.Is(err, ErrGone):
		return nil
	case err != nil && err != ctx.Err():
		return fmt.Errorf("wait for process %d: %w", id.PID, err)
	}
	return err
}

// Check returns nil while the process runs and [ErrGone] when it has ended; any other error
// means that it cannot be known, for example without /proc.
func (id Identity) Check() error {
	if id.PID <= 0 {
		return ErrGone
	}
	// The boot id comes first: without /proc that is an error, while a missing stat file
	// would mean a dead process.
	boot, err := Boot()
	if err != nil {
		return err
	}
	if boot != id.Boot {
		return ErrGone
	}
	stat, err := Read(id.PID)
	if err != nil {
		return err
	}
	if stat.Ticks != id.Ticks || stat.Ended() {
		return ErrGone
	}
	return nil
}
