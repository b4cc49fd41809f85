//go:build !linux

package tty

import (
	"errors"
	"fmt"
	"runtime"
)

// Dial says that there are no tasks to connect to on this system.
func Dial(weftDir, tid string, epoch int) (*Conn, error) {
	return nil, fmt.Errorf("connect to terminal: %w on %s yet", errors.ErrUnsupported, runtime.GOOS)
}

// Unheard reports whether an error of [Dial] says that nobody listens.
func Unheard(error) bool { return false }
