package main

import (
	"context"

	"weft"
	"weft/taskspec"
)

type waitCmd struct {
	TIDs []string `arg:"" name:"tid" sep:"none" complete:"live-task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running."`

	Any      bool      `help:"Wait only until one of them has ended."`
	Timeout  *duration `placeholder:"TIME" help:"Wait no longer than that; the tasks go on."`
	ExitCode bool      `help:"Exit as the task did; of several, as the first one given that did not complete."`
}

// Run waits.
func (c *waitCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	ctx, cancel := until(in.first, c.Timeout)
	defer cancel()
	tasks, err := findTasks(in.first, p, c.TIDs)
	if err != nil {
		return err
	}
	if err := a.noteHeld(in.first, p); err != nil {
		return err
	}
	g, err := p.NewBatch()
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Add(in.first, tasks...); err != nil {
		return err
	}
	for _, t := range tasks {
		defer a.tellWhy(p, t, false)()
	}
	ends, err := c.await(ctx, a, g)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if s := ends[t.TID()]; s != nil && s.Status != taskspec.StatusCompleted {
			return a.ended(s, c.ExitCode)
		}
	}
	return nil
}

// await returns how the tasks ended, by their ids; with --any, only the first.
func (c *waitCmd) await(ctx context.Context, a *app, g *weft.Batch) (map[string]*weft.TaskStatus, error) {
	ends := make(map[string]*weft.TaskStatus)
	for g.Len() > 0 {
		s, err := g.Next(ctx)
		if err != nil {
			return nil, err
		}
		ends[s.TID] = s
		if err := a.printEnd(s); err != nil || c.Any {
			return ends, err
		}
	}
	return ends, nil
}

// printEnd prints how a task ended, at once.
func (a *app) printEnd(s *weft.TaskStatus) error {
	if err := a.emit(s, "%s %s\n", visible(s.TID), a.paint(standing(s))); err != nil {
		return err
	}
	return a.stdout.Flush()
}

// findTasks finds tasks by what a person calls them.
func findTasks(ctx context.Context, p *weft.Project, tids []string) ([]*weft.Task, error) {
	tasks := make([]*weft.Task, len(tids))
	for i, tid := range tids {
		var err error
		if tasks[i], err = p.Task(ctx, tid); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}
