package monitor

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
)

// Stop sends SIGSTOP to every process of the tree until all of them are stopped, also those
// that were started meanwhile. [Tree.Signal] with SIGCONT continues them. If ctx ends
// first, Stop returns its error: then some are not stopped yet, but will be when they
// return from the kernel.
func (t Tree) Stop(ctx context.Context) error {
	s := newSearch(t)
	for {
		running := 0
		err := s.scan(func(m member) {
			if !m.stopped {
				running++
				_ = m.Signal(syscall.SIGSTOP) // an error means that it has ended
			}
		})
		if err != nil {
			return fmt.Errorf("stop tree: %w", err)
		}
		if running == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stop tree: %d processes still run: %w", running, ctx.Err())
		}
		runtime.Gosched()
	}
}
