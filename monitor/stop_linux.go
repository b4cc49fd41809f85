package monitor

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
)

// Stop sends SIGSTOP to every process of the tree until all of them stand
// still, also those that were started meanwhile; [Tree.Signal] with SIGCONT
// lets them go on. If ctx ends first, its error is returned: then some have not
// obeyed yet, but will when the kernel lets them go.
func (t Tree) Stop(ctx context.Context) error {
	s := newSearch(t)
	for {
		moving := 0
		err := s.look(func(m member) {
			if !m.stopped {
				moving++
				_ = m.Signal(syscall.SIGSTOP) // whoever has ended stands still too
			}
		})
		if err != nil {
			return fmt.Errorf("stop tree: %w", err)
		}
		if moving == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stop tree: %d processes go on: %w", moving, ctx.Err())
		}
		runtime.Gosched()
	}
}
