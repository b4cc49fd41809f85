//go:build !linux

package inherit

import (
	"errors"
	"fmt"
	"runtime"
)

// Read returns an error that wraps [errors.ErrUnsupported].
func Read() (a Attributes, err error) {
	return a, fmt.Errorf("attributes of a process: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}

// Note does nothing.
func Note() {}

// Raise does nothing.
func Raise() {}
