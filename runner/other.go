//go:build !linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft/internal/ledger"
	"weft/internal/proc"
)

const noFollow = 0

func noSpace(error) bool { return false }

// Main would be the life of a consumer process. Running tasks needs Linux.
func Main(io.ReadWriteCloser, string, []string) error {
	return fmt.Errorf("run tasks: %w", errors.ErrUnsupported)
}

// An Inline would carry out functions inside this program.
type Inline struct{}

// NewInline says that it does not.
func NewInline(InlineOptions) (*Inline, error) {
	return nil, fmt.Errorf("serve functions: %w", errors.ErrUnsupported)
}

// Serve is never called.
func (s *Inline) Serve(context.Context) error { return nil }

// Seat has none.
func (s *Inline) Seat(string) *Seat { return nil }

// A Seat would be a slot of an [Inline].
type Seat struct{}

// Process is never called.
func (s *Seat) Process() proc.Identity { return proc.Identity{} }

// Leave is never called.
func (s *Seat) Leave() {}

// Begin is never called.
func (s *Seat) Begin(*ledger.Begun) *Visit { return nil }

// A Visit would be a task that was begun by who submitted it.
type Visit struct{}

// Wait knows nothing.
func (v *Visit) Wait(context.Context) *ledger.Task { return nil }
