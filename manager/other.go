//go:build !linux

package manager

import (
	"context"
	"errors"
	"fmt"

	"weft/broker"
)

type lock struct{}

func (*lock) release() {}

func (*lock) inPlace() bool { return true }

func lead(context.Context, string, func() bool) (*lock, error) {
	return nil, fmt.Errorf("run tasks: %w on this system yet", errors.ErrUnsupported)
}

// Start would start a detached manager.
func Start(context.Context, string, Call, string, *broker.Broker, func(string)) error {
	return fmt.Errorf("run tasks: %w on this system yet", errors.ErrUnsupported)
}

// Running returns false: running tasks needs Linux.
func Running(string) (bool, error) { return false, nil }

func (*pool) start(*consumer) (func(context.Context) error, error) {
	return nil, errors.ErrUnsupported
}

func folderID(string) string { return "" }
