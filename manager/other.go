//go:build !linux

package manager

import (
	"context"
	"errors"
	"fmt"
)

type lock struct{}

func (*lock) release() {}

func lead(string, func() bool) (*lock, error) {
	return nil, fmt.Errorf("run tasks: %w on this system yet", errors.ErrUnsupported)
}

// Running reports whether the project in dir has a manager: there is none
// where tasks cannot run.
func Running(string) (bool, error) { return false, nil }

func (*pool) start(*consumer) (func(context.Context) error, error) {
	return nil, errors.ErrUnsupported
}
