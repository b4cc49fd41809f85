package sqlite

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// marked is the id under which the calling goroutine is known until unmarked. Until
// then it has its thread to itself, whose id is cheap to come by: what Go offers
// takes ten times as long as a statement.
func marked() uint64 {
	runtime.LockOSThread()
	return goroutine()
}

func unmarked() { runtime.UnlockOSThread() }

// goroutine identifies the calling goroutine among those that are marked. It
// serves to turn a certain deadlock into an error.
func goroutine() uint64 { return uint64(unix.Gettid()) }
