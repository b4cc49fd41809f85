package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"weft/internal/proc"
)

// Kill ends every process of the tree and returns how many it sent SIGKILL. It stops each
// member as soon as it is found until there is no new one, kills them, waits until each has
// ended, and starts over until a scan finds none. A process that was a member remains one,
// even if it loses its marks meanwhile.
//
// ctx bounds the waiting, not the first round: even if ctx is done already, every member
// found is killed, and none is left stopped. If members are left when ctx is done, the
// error names the pids and wraps ctx.Err(). If Kill may signal none of those that are left,
// it returns at once with an error that wraps EPERM.
func (t Tree) Kill(ctx context.Context) (killed int, err error) {
	s := newSearch(t)
	for {
		scanErr := s.scan(func(m member) {
			s.known[m.Identity] = true
			if !m.stopped {
				// A process that cannot be stopped is killed all the same, which reports
				// the error.
				_ = m.Signal(syscall.SIGSTOP)
			}
		})
		if len(s.known) == 0 {
			return killed, scanErr
		}
		hit, refused := s.kill()
		killed += len(hit)
		if scanErr != nil || len(hit) == 0 && refused != nil {
			return killed, fmt.Errorf("kill tree: %w", errors.Join(scanErr, refused))
		}
		// All of them are ending by now, so waiting for one after the other takes no longer
		// than for all at once.
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

// kill sends SIGKILL to all known members and returns those that received it. It forgets
// those that have ended.
func (s *search) kill() (killed []proc.Identity, refused error) {
	for id := range s.known {
		switch err := id.Signal(syscall.SIGKILL); {
		case err == nil:
			killed = append(killed, id)
		case errors.Is(err, proc.ErrGone):
			delete(s.known, id)
		default:
			refused = errors.Join(refused, err)
		}
	}
	return killed, refused
}

// left returns an error that names the members that have not ended and wraps cause, or nil
// if all have.
func (s *search) left(cause error) error {
	var pids []string
	err := s.scan(func(m member) { pids = append(pids, fmt.Sprint(m.PID)) })
	if err != nil {
		return fmt.Errorf("kill tree: %w", errors.Join(cause, err))
	}
	if len(pids) == 0 {
		return nil
	}
	return fmt.Errorf("kill tree: still there: pid %s: %w", strings.Join(pids, ", "), cause)
}
