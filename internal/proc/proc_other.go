//go:build !linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// errUnsupported says that processes cannot be identified on this system.
var errUnsupported = fmt.Errorf("process identity on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Read returns an error that wraps [errors.ErrUnsupported].
func Read(int) (Stat, error) { return Stat{}, errUnsupported }

// Boot returns an error that wraps [errors.ErrUnsupported].
func Boot() (string, error) { return "", errUnsupported }

// LastPID returns an error that wraps [errors.ErrUnsupported].
func LastPID() (int, error) { return 0, errUnsupported }

// Environ returns an error that wraps [errors.ErrUnsupported].
func Environ(int) ([]byte, error) { return nil, errUnsupported }

// Namespace returns the empty string.
func Namespace() string { return "" }

func (id Identity) signal(syscall.Signal) error { return errUnsupported }

func (id Identity) wait(context.Context) error { return errUnsupported }

// Terminal returns the empty string.
func Terminal() string { return "" }
