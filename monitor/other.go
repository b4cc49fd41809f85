//go:build !linux

package monitor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// errUnsupported tells that process trees cannot be found here yet.
var errUnsupported = fmt.Errorf("process trees on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// search is the search for the members of a tree, which cannot be made here.
type search struct{}

func newSearch(Tree) search { return search{} }

func (search) look(func(member)) error { return errUnsupported }

// Kill returns an error that wraps [errors.ErrUnsupported].
func (t Tree) Kill(context.Context) (killed int, err error) { return 0, errUnsupported }

// Subreaper returns an error that wraps [errors.ErrUnsupported].
func Subreaper() error { return errUnsupported }

// HasChildren returns an error that wraps [errors.ErrUnsupported].
func HasChildren() (bool, error) { return false, errUnsupported }

// ReapOrphans removes nothing.
func ReapOrphans(int) time.Duration { return 0 }

// Reap removes nothing.
func Reap(...int) int { return 0 }

// A Sampler would measure the processes below one.
type Sampler struct {
	Root             int
	Foreign          []string
	FDs, Connections bool
	Doubt            float64
	Cap              int
}

// Sample returns an error that wraps [errors.ErrUnsupported].
func (Sampler) Sample() (Sample, error) { return Sample{}, errUnsupported }
