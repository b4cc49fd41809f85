package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weft"
	"weft/taskspec"
)

type resultCmd struct {
	TID string `arg:"" optional:"" name:"tid" complete:"task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`

	All     bool      `help:"All results that wait to be taken, each behind the id of its task."`
	Timeout *duration `placeholder:"TIME" help:"Wait no longer than that; the task goes on."`
	Peek    bool      `help:"Leave the result for others."`
	Stream  bool      `help:"Show the output as it is produced, while the task runs; of a persistent task, all results as they come."`
	rawOption
	rows
	Error    bool `help:"Print what the task wrote to its standard error instead, and leave the result."`
	ExitCode bool `help:"Exit as the task did."`
}

func (r *resultCmd) prepare(a *app) error {
	if r.All == (r.TID != "") {
		return usageError{"give the id of a task, @last, or --all"}
	}
	if r.All && (r.Timeout != nil || r.Stream || r.Error || r.ExitCode) {
		return usageError{"--all goes with --peek, --limit, --raw and --json only"}
	}
	if !r.All && r.Limit != nil {
		return usageError{"--limit goes with --all"}
	}
	a.delivers = true
	return cmp.Or(r.rows.prepare(a), a.canDeliver())
}

// Run prints the result.
func (r *resultCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	if r.All {
		return r.printAll(in.first, a, p)
	}
	t, err := p.Task(in.first, r.TID)
	if err != nil {
		return err
	}
	before, err := t.Status(in.first)
	if err != nil {
		return err
	}
	ctx, cancel := in.first, context.CancelFunc(func() {})
	if !before.Status.Terminal() {
		if err := a.noteHeld(ctx, p); err != nil {
			return err
		}
		defer a.tellWhy(p, t, false)()
		ctx, cancel = until(ctx, r.Timeout)
	}
	defer cancel()
	if before.Items != nil {
		return r.printItems(ctx, a, p, t)
	}
	s, err := r.print(ctx, a, t)
	if errors.Is(err, weft.ErrResultConsumed) {
		return taken(ctx, t)
	}
	if err != nil {
		return err
	}
	return a.ended(s, r.ExitCode)
}

func (r *resultCmd) print(ctx context.Context, a *app, t *weft.Task) (*weft.TaskStatus, error) {
	if !r.Stream {
		if _, err := t.Wait(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Error && !a.JSON:
		return t.Output(ctx, nil, a.shown(r.Raw))
	case a.JSON:
		return a.deliverJSON(ctx, t, !r.Peek && !r.Error)
	case r.Peek:
		return t.Output(ctx, a.shown(r.Raw), nil)
	}
	return a.deliver(ctx, t, a.shown(r.Raw), nil)
}

// printAll prints the results of all tasks that have ended, or the oldest of many.
func (r *resultCmd) printAll(ctx context.Context, a *app, p *weft.Project) error {
	tasks, more, err := p.PendingResults(ctx, r.limit(a))
	if err != nil {
		return err
	}
	failed := false
	for _, t := range tasks {
		s, err := r.printOne(ctx, a, t)
		if errors.Is(err, weft.ErrResultConsumed) {
			continue // by another process, since
		}
		if err != nil {
			return err
		}
		if reason := s.Err(); reason != nil {
			failed = true
			if !a.JSON {
				a.note("%v", reason)
			}
		}
	}
	if more > 0 && !a.JSON { // beside the output of tasks
		a.note("%s", moreText(more))
	}
	if failed {
		return exitCode(exitError)
	}
	return nil
}

// printOne prints one of several results, and says how its task ended.
func (r *resultCmd) printOne(ctx context.Context, a *app, t *weft.Task) (*weft.TaskStatus, error) {
	if a.JSON {
		return a.deliverJSON(ctx, t, !r.Peek)
	}
	a.stdout.Printf("%s: ", t.TID())
	w := &lineEnder{w: a.shown(r.Raw)}
	s, err := t.Output(ctx, w, nil)
	if err != nil {
		return s, err
	}
	if err := w.end(); err != nil || r.Peek {
		return s, err
	}
	return s, t.Discard(ctx)
}

// A lineEnder ends what is written through it with a line's end.
type lineEnder struct {
	w     io.Writer
	ended bool
}

func (l *lineEnder) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.ended = p[len(p)-1] == '\n'
	}
	return l.w.Write(p)
}

func (l *lineEnder) end() error {
	if l.ended {
		return nil
	}
	_, err := l.w.Write([]byte("\n"))
	return err
}

// loaded says why there is no output of a task.
const loaded = "came with a dump, which holds no output that was taken"

// taken says that a result was taken before, and how the task stands.
func taken(ctx context.Context, t *weft.Task) error {
	s, err := t.Status(ctx)
	if err != nil {
		return err
	}
	err = fmt.Errorf("%w: task %s %s on %s", weft.ErrResultConsumed, taskspec.ShortTID(s.TID), s.Status, clock(s.Completed))
	if s.Loaded {
		return fmt.Errorf("%w, and %s", err, loaded)
	}
	return fmt.Errorf("%w: weft logs %s shows what it printed", err, taskspec.ShortTID(s.TID))
}

// until bounds a wait, and gives its end a cause.
func until(ctx context.Context, timeout *duration) (context.Context, context.CancelFunc) {
	if timeout == nil {
		return context.WithCancel(ctx)
	}
	d := time.Duration(*timeout)
	return context.WithTimeoutCause(ctx, d, waitedError(d))
}
