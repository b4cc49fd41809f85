//go:build !linux

package monitor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
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

// ReapOrphans does nothing.
func ReapOrphans(int) time.Duration { return 0 }

// Reap does nothing.
func Reap(...int) int { return 0 }

// A Sampler measures the processes below one. It needs Linux.
type Sampler struct {
	Root             int
	Foreign          []string
	FDs, Connections bool
	Doubt            float64
	Cap              int
}

// Sample returns an error that wraps [errors.ErrUnsupported].
func (Sampler) Sample() (Sample, error) { return Sample{}, errUnsupported }
