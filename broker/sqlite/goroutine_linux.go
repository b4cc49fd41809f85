package sqlite

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// marked returns an id for the calling goroutine, valid until unmarked. It locks the
// goroutine to its thread, whose id is cheap to get: Go's own way takes ten times as long
// as a statement.
func marked() uint64 {
	runtime.LockOSThread()
	return goroutine()
}

func unmarked() { runtime.UnlockOSThread() }

// goroutine identifies the calling goroutine among the marked ones. It serves to turn a
// certain deadlock into an error.
func goroutine() uint64 { return uint64(unix.Gettid()) }
