package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"weft"
	"weft/taskspec"
)

// which says which tasks a list has.
type which struct {
	All    bool     `help:"The tasks that have ended too."`
	Status []string `enum:"created,spawning,running,completed,failed,timeout,cancelled,killed" xor:"status" placeholder:"STATUS" help:"Only tasks with one of these statuses, separated by commas."`
	Failed bool     `xor:"status" help:"Only tasks that failed, timed out or were killed."`
	Tag    string   `complete:"-" help:"Only tasks that have this tag; ended ones too."`
	Batch  string   `placeholder:"ID" complete:"-" help:"Only tasks of this batch; ended ones too."`
	Name   string   `placeholder:"GLOB" complete:"-" help:"Only tasks whose name matches; ended ones too."`
	Since  *moment  `placeholder:"TIME" help:"Only tasks that have not ended, or have since then: 2h, 1d, 2026-11-21T14:03."`
}

// chooses reports whether the options select any tasks.
func (w which) chooses() bool {
	return w.Failed || w.Tag != "" || w.Batch != "" || w.Name != "" || w.Since != nil || len(w.Status) > 0
}

// filter is what the options select: by default what has not ended.
func (w which) filter() weft.TaskFilter {
	f := weft.TaskFilter{Tag: w.Tag, Name: w.Name, Batch: w.Batch, RunningFirst: true}
	if w.Since != nil {
		f.Since = time.Time(*w.Since)
	}
	for _, s := range w.Status {
		f.Statuses = append(f.Statuses, taskspec.Status(s))
	}
	switch {
	case w.Failed:
		f.Statuses = taskspec.Failures()
	case !w.All && !w.chooses():
		f.Statuses = taskspec.Unfinished()
	}
	return f
}

type listCmd struct {
	which
	rows
	Quiet   bool `short:"q" xor:"what" help:"Print only the ids."`
	Stats   bool `xor:"what" help:"Count all tasks by their status instead."`
	Workers bool `xor:"what" help:"List managers instead."`
}

func (c *listCmd) prepare(a *app) error {
	switch {
	case (c.Stats || c.Workers) && (c.Tag != "" || c.Name != "" || c.Since != nil):
		return usageError{"--tag, --name and --since do not go with --stats or --workers"}
	case (c.Failed || len(c.Status) > 0) && c.Workers:
		return usageError{"--status and --failed do not go with --workers"}
	}
	return c.rows.prepare(a)
}

// Run lists tasks.
func (c *listCmd) Run(a *app, p *weft.Project) error {
	ctx, limit := context.Background(), c.limit(a)
	forPerson := a.stdout.terminal && !a.JSON && !c.Quiet
	if !forPerson && c.Limit == nil && !c.Workers {
		limit = 0
	}
	switch {
	case c.Workers:
		return a.listManagers(ctx, p, c.All, limit)
	case c.Stats:
		return c.printCounts(ctx, a, p)
	case !forPerson && limit == 0: // as they come: there may be any number
		for s, err := range p.Tasks(ctx, c.filter()) {
			if err == nil {
				err = c.print(a, s)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	tasks, more, err := newest(ctx, p, c.filter(), limit)
	if err != nil {
		return err
	}
	if forPerson && len(tasks) > 0 {
		a.printTasks(tasks, time.Now())
		a.printMore(more)
		return nil
	}
	for _, s := range tasks {
		if err := c.print(a, s); err != nil {
			return err
		}
	}
	return nil
}

// print prints a task on a line of its own.
func (c *listCmd) print(a *app, s *weft.TaskStatus) error {
	if c.Quiet {
		return a.emit(object("tid", s.TID), "%s\n", visible(s.TID))
	}
	return a.printRecord(s, time.Now())
}

// printCounts counts tasks by status.
func (c *listCmd) printCounts(ctx context.Context, a *app, p *weft.Project) error {
	counts, err := p.CountTasks(ctx)
	if err != nil {
		return err
	}
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		if f := c.filter(); c.chooses() && !slices.Contains(f.Statuses, status) {
			continue
		}
		if err := a.emit(object("status", status, "count", counts[status]), "%s: %d\n", a.paint(status), counts[status]); err != nil {
			return err
		}
	}
	return nil
}
