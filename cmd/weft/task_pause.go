package main

import (
	"cmp"
	"context"
	"errors"

	"weft"
	"weft/taskspec"
)

// standing is how a task stands, as tables show it: one that is paused runs,
// which is not what a person wants to know, and one that is lost does not.
func standing(s *weft.TaskStatus) taskspec.Status {
	switch {
	case s.Lost:
		return "lost"
	case s.Paused:
		return "paused"
	case s.Unverified:
		return s.Status + " (unverified)"
	}
	return s.Status
}

// running is the only status of the tasks that can be paused.
func running() []taskspec.Status { return []taskspec.Status{taskspec.StatusRunning} }

type taskPauseCmd struct{ chosen }

// Run pauses tasks.
func (c *taskPauseCmd) Run(a *app, p *weft.Project) error {
	return c.sweep(a, p, running(), afterwards((*weft.Task).Pause))
}

type taskResumeCmd struct{ chosen }

// Run lets tasks go on.
func (c *taskResumeCmd) Run(a *app, p *weft.Project) error {
	return c.sweep(a, p, running(), afterwards((*weft.Task).Resume))
}

// afterwards does something to a task and returns how it stands then.
func afterwards(do func(*weft.Task, context.Context) error) func(*weft.Task, context.Context) (*weft.TaskStatus, error) {
	return func(t *weft.Task, ctx context.Context) (*weft.TaskStatus, error) {
		done := do(t, ctx)
		if done != nil && !errors.Is(done, weft.ErrUnrecorded) {
			return nil, done
		}
		s, err := t.Status(ctx)
		return s, cmp.Or(err, done)
	}
}

type taskPingCmd struct {
	TID     string    `arg:"" name:"tid" complete:"live-task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`
	Timeout *duration `placeholder:"TIME" help:"Wait no longer than that."`
}

// Run pings a task.
func (c *taskPingCmd) Run(a *app, p *weft.Project) error {
	ctx, cancel := until(interruptible().first, c.Timeout)
	defer cancel()
	t, err := p.Task(ctx, c.TID)
	if err != nil {
		return err
	}
	took, err := t.Ping(ctx)
	if err != nil {
		return err
	}
	return a.emit(object("tid", t.TID(), "seconds", took.Seconds()), "%s PONG in %s\n", t.TID(), short(took))
}
