package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft"
	"weft/taskspec"
)

// feed shows an interactive task to its end, and says how it ended, while what r
// holds goes to it as it comes; nil is nothing. The first interruption is the
// task's, if it has begun; the second stops it.
func (a *app) feed(in *interrupts, t *weft.Task, r io.Reader) (*weft.TaskStatus, error) {
	ctx, cancel := context.WithCancel(in.second)
	defer cancel()
	if r != nil {
		go func() {
			if err := sendAll(ctx, t, r); err != nil && !errors.Is(err, weft.ErrNotRunning) && ctx.Err() == nil {
				a.note("%v", err)
			}
		}()
	}
	stop, stopNow := context.WithCancelCause(in.second)
	defer stopNow(nil)
	undo := context.AfterFunc(in.first, func() {
		s, err := t.Status(ctx)
		if err == nil && s.Status == taskspec.StatusRunning {
			err = t.Interrupt(ctx)
		} else {
			stopNow(errInterrupted)
		}
		if err != nil && !errors.Is(err, weft.ErrNotRunning) && ctx.Err() == nil {
			a.note("%v", err)
		}
	})
	defer undo()
	return a.follow(&interrupts{first: stop, second: context.WithoutCancel(stop)}, t, a.stdout)
}

// sendAll sends what r holds, as it comes, and its end.
func sendAll(ctx context.Context, t *weft.Task, r io.Reader) error {
	p := make([]byte, 32<<10)
	for {
		n, err := r.Read(p)
		if n > 0 {
			if err := t.SendInput(ctx, p[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			failed := t.CloseInput(ctx)
			if !errors.Is(err, io.EOF) {
				failed = fmt.Errorf("read standard input: %w", err)
			}
			return failed
		}
	}
}
