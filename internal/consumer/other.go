//go:build !linux

package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"weft/internal/ledger"
)

func noSpace(error) bool { return false }

// Main returns an error: running tasks needs Linux.
func Main(io.ReadWriteCloser, string, []string) error {
	return fmt.Errorf("run tasks: %w", errors.ErrUnsupported)
}

// Become is never called.
func Become(*os.File) error { return errors.ErrUnsupported }

// An Inline runs functions inside this program. It needs Linux.
type Inline struct{}

// NewInline returns an error: functions run on Linux only.
func NewInline(InlineOptions) (*Inline, error) {
	return nil, fmt.Errorf("serve functions: %w", errors.ErrUnsupported)
}

// Serve is never called.
func (s *Inline) Serve(context.Context) error { return nil }

// Submit returns nil: the task has to queue.
func (s *Inline) Submit(context.Context, ledger.Submission) (*LocalRun, error) { return nil, nil }

// A LocalRun is a task that runs in the program that submitted it. It needs Linux.
type LocalRun struct{}

// Task is never called.
func (r *LocalRun) Task() *ledger.Task { return nil }

// Wait is never called.
func (r *LocalRun) Wait(context.Context) *ledger.Task { return nil }

// Take is never called.
func (r *LocalRun) Take(context.Context) (*ledger.Task, []byte, bool) { return nil, nil, false }
