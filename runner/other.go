//go:build !linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"weft/internal/ledger"
)

func noSpace(error) bool { return false }

// Main would be the life of a consumer process. Running tasks needs Linux.
func Main(io.ReadWriteCloser, string, []string) error {
	return fmt.Errorf("run tasks: %w", errors.ErrUnsupported)
}

// Become is never called.
func Become(*os.File) error { return errors.ErrUnsupported }

// An Inline would carry out functions inside this program.
type Inline struct{}

// NewInline says that it does not.
func NewInline(InlineOptions) (*Inline, error) {
	return nil, fmt.Errorf("serve functions: %w", errors.ErrUnsupported)
}

// Serve is never called.
func (s *Inline) Serve(context.Context) error { return nil }

// Submit has no place for it.
func (s *Inline) Submit(context.Context, ledger.Submission) (*LocalRun, error) { return nil, nil }

// A LocalRun would be a task that was begun by who submitted it.
type LocalRun struct{}

// Task is never called.
func (v *LocalRun) Task() *ledger.Task { return nil }

// Wait knows nothing.
func (v *LocalRun) Wait(context.Context) *ledger.Task { return nil }

// Take has nothing.
func (v *LocalRun) Take(context.Context) (*ledger.Task, []byte, bool) { return nil, nil, false }
