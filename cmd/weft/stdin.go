package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weft"
)

// feed is follow for an interactive task, to which what r holds goes as it comes; nil is
// nothing.
func (a *app) feed(in *interrupts, t *weft.Task, r io.Reader, keepGoing bool) (*weft.TaskStatus, error) {
	ctx, cancel := context.WithCancel(in.leave)
	defer cancel()
	if r != nil {
		go func() {
			if err := sendAll(ctx, t, r); err != nil && !errors.Is(err, weft.ErrNotRunning) && ctx.Err() == nil {
				a.note("%v", err)
			}
		}()
	}
	return a.follow(in, t, a.stdout, keepGoing)
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
