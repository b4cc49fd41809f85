package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"weft/internal/proc"
)

// Kill ends every process of the tree and returns how many it sent SIGKILL. It
// stops each member on sight until nobody new is found, kills them, waits until
// each has ended, and starts over until a look finds nobody. Whoever was a
// member remains one, even if it loses its marks meanwhile.
//
// ctx bounds the waiting, not the first blow: even if ctx is done already,
// everybody found is killed, and nobody is left stopped. If somebody is left
// when ctx is done, the error names the pids and wraps ctx.Err(). If all that
// is left may not be signalled, Kill returns at once with an error that wraps
// EPERM.
func (t Tree) Kill(ctx context.Context) (killed int, err error) {
	s := newSearch(t)
	for {
		lookErr := s.look(func(m member) {
			s.known[m.Identity] = true
			if !m.stopped {
				// Whoever cannot be stopped is killed all the same, and that
				// reports what is wrong.
				_ = m.Signal(syscall.SIGSTOP)
			}
		})
		if len(s.known) == 0 {
			return killed, lookErr
		}
		hit, refused := s.kill()
		killed += len(hit)
		if lookErr != nil || len(hit) == 0 && refused != nil {
			return killed, fmt.Errorf("kill tree: %w", errors.Join(lookErr, refused))
		}
		// All of them are ending by now, so waiting for one after the other
		// takes no longer than for all at once.
		for _, id := range hit {
			if err := id.Wait(ctx); err != nil {
				return killed, s.left(err)
			}
			delete(s.known, id)
		}
		if ctx.Err() != nil {
			return killed, s.left(ctx.Err())
		}
	}
}

// kill sends SIGKILL to all known members and returns who got it. Those that
// have ended it forgets.
func (s *search) kill() (hit []proc.Identity, refused error) {
	for id := range s.known {
		switch err := id.Signal(syscall.SIGKILL); {
		case err == nil:
			hit = append(hit, id)
		case errors.Is(err, proc.ErrGone):
			delete(s.known, id)
		default:
			refused = errors.Join(refused, err)
		}
	}
	return hit, refused
}

// left returns an error that names the members that have not ended and wraps
// cause, or nil if all have.
func (s *search) left(cause error) error {
	var pids []string
	err := s.look(func(m member) { pids = append(pids, fmt.Sprint(m.PID)) })
	if err != nil {
		return fmt.Errorf("kill tree: %w", errors.Join(cause, err))
	}
	if len(pids) == 0 {
		return nil
	}
	return fmt.Errorf("kill tree: still there: pid %s: %w", strings.Join(pids, ", "), cause)
}
