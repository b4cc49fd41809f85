package main

import (
	"context"
	"errors"
	"io"
	"time"

	"weft"
	"weft/taskspec"
)

// tellEarlier says on standard error that a task holds the key that a run was asked for
// with, and how to run anew. It returns how the task ended, nil if it has not.
func (a *app) tellEarlier(t *weft.Task) (*weft.TaskStatus, error) {
	s, err := t.Status(context.Background())
	if err != nil {
		return nil, err
	}
	id := taskspec.ShortTID(s.TID)
	if !s.Status.Terminal() {
		a.note("task %s was submitted with this key %s, and is %s: waiting for it", id, ago(time.Since(s.Created)), standing(s))
		return nil, nil
	}
	a.note("this is the earlier task %s with this key, which ended %s (%s): to run anew, weft task retry %[1]s, or give another key",
		id, ago(time.Since(s.Completed)), clock(s.Completed))
	return s, nil
}

// printEarlier prints what a task has printed that has ended, also if its result has been
// consumed, and consumes that. Its exit code is that of the task's end.
func (a *app) printEarlier(ctx context.Context, p *weft.Project, t *weft.Task, s *weft.TaskStatus, own bool) (err error) {
	if s.Loaded {
		a.note("task %s %s", taskspec.ShortTID(s.TID), loaded)
	}
	if a.JSON {
		err = a.printEarlierJSON(ctx, p, t)
	} else {
		err = writeKept(ctx, p, t, a.stdout, a.stderr)
	}
	if err == nil {
		err = a.stdout.finish()
	}
	if err == nil {
		err = t.Discard(ctx)
	}
	if err != nil {
		return err
	}
	return a.ended(s, own)
}

// printEarlierJSON prints the result of the task as an object.
func (a *app) printEarlierJSON(ctx context.Context, p *weft.Project, t *weft.Task) error {
	r, err := t.Peek(ctx)
	if errors.Is(err, weft.ErrResultConsumed) && r != nil {
		var kept objectOutput
		err = writeKept(ctx, p, t, &kept, io.Discard)
		r.Output = kept
	}
	if err != nil {
		return err
	}
	return a.printJSON(r)
}

// writeKept writes what the task has printed: of a pipeline, what its last stage has.
func writeKept(ctx context.Context, p *weft.Project, t *weft.Task, stdout, stderr io.Writer) error {
	last := t.TID()
	stages, err := t.Stages(ctx)
	if err != nil {
		return err
	}
	if n := len(stages); n > 0 {
		last = stages[n-1].TID
	}
	for piece, err := range p.ReadOutput(ctx, []*weft.Task{t}, weft.OutputOptions{}) {
		if err != nil {
			return err
		}
		switch {
		case piece.Stream == weft.StderrStream:
			_, err = stderr.Write(piece.Data)
		case piece.Task.TID() == last:
			_, err = stdout.Write(piece.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// objectOutput is an output that goes into one object.
type objectOutput []byte

func (o *objectOutput) Write(p []byte) (int, error) {
	const most = 64 << 20
	if len(*o)+len(p) > most {
		return 0, errors.New("the output is too large for an object: weft logs prints it")
	}
	*o = append(*o, p...)
	return len(p), nil
}
