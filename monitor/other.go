//go:build !linux

package monitor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// errUnsupported says that process trees cannot be found on this system.
var errUnsupported = fmt.Errorf("process trees on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A search is the search for the members of a tree. It needs Linux.
type search struct{}

func newSearch(Tree) search { return search{} }

func (search) scan(func(member)) error { return errUnsupported }

// Kill returns an error that wraps [errors.ErrUnsupported].
func (t Tree) Kill(context.Context) (killed int, err error) { return 0, errUnsupported }

// Subreaper returns an error that wraps [errors.ErrUnsupported].
func Subreaper() error { return errUnsupported }

// HasChildren returns an error that wraps [errors.ErrUnsupported].
func HasChildren() (bool, error) { return false, errUnsupported }

// Reap does nothing.
func Reap(...int) int { return 0 }

// Sample returns an error that wraps [errors.ErrUnsupported].
func (r *ResourceMonitor) Sample() (Sample, error) { return Sample{}, errUnsupported }

// Reap does nothing.
func (r *ResourceMonitor) Reap() {}
