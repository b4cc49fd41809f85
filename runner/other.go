//go:build !linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
)

const noFollow = 0

func noSpace(error) bool { return false }

// Main would be the life of a consumer process. Running tasks needs Linux.
func Main(io.ReadWriteCloser, string, []string) error {
	return fmt.Errorf("run tasks: %w", errors.ErrUnsupported)
}

// ServeInline would carry out functions inside this program.
func ServeInline(context.Context, InlineOptions) error {
	return fmt.Errorf("serve functions: %w", errors.ErrUnsupported)
}
