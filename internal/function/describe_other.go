//go:build !linux

package function

import (
	"context"
	"errors"
	"fmt"
)

// ErrNothingRegistered is returned for a program that does not describe its functions.
var ErrNothingRegistered = errors.New("program does not offer functions")

// ReadDescription returns an error: functions run on Linux only.
func ReadDescription(context.Context, string, []string) (Listing, error) {
	return Listing{}, fmt.Errorf("ask a program for its functions: %w on this system yet", errors.ErrUnsupported)
}
