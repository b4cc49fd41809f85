package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"weft"
	"weft/internal/jsonobject"
)

type taskOutputCmd struct {
	TID     string `arg:"" name:"tid" complete:"task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`
	Follow  bool   `short:"f" help:"Print what is still to come too, until the task has ended."`
	Attempt *int   `placeholder:"N" help:"Print what this attempt has written, counted from 1, instead of the last one."`
	rawOption
	Stderr bool `help:"Print what the task wrote to its standard error instead."`
}

// Run prints the output of a task.
func (c *taskOutputCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	now, err := t.Status(in.first)
	if err != nil {
		return err
	}
	if now.Items != nil {
		return usageError{"a persistent task has an output for each of its items: see weft result"}
	}
	print := t.OutputSoFar
	switch {
	case c.Follow && c.Attempt != nil:
		return usageError{"--attempt does not go with --follow"}
	case c.Follow:
		print = t.Output
	case c.Attempt != nil:
		print = func(ctx context.Context, stdout, stderr io.Writer) (*weft.TaskStatus, error) {
			return t.AttemptOutput(ctx, *c.Attempt, stdout, stderr)
		}
	}
	var buf bytes.Buffer
	w := a.shown(c.Raw)
	if a.JSON {
		w = &buf
	}
	stdout, stderr := w, io.Writer(nil)
	if c.Stderr {
		stdout, stderr = nil, w
	}
	st, err := print(in.first, stdout, stderr)
	switch {
	case errors.Is(err, weft.ErrResultConsumed):
		return taken(in.first, t)
	case err != nil:
		return err
	case !a.JSON:
		return nil
	}
	return a.printJSON(object("tid", st.TID, "status", st.Status, "output", jsonobject.TextOrBytes(buf.Bytes())))
}
