package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weft"
	"weft/taskspec"
)

// which says which tasks a list has.
type which struct {
	All    bool   `help:"The tasks that have ended too."`
	Status string `enum:",created,spawning,running,completed,failed,timeout,cancelled,killed" default:"" placeholder:"STATUS" help:"Only tasks with this status."`
	Tag    string `complete:"-" help:"Only tasks that have this tag; ended ones too."`
}

// filter is what the options select: by default what has not ended.
func (w which) filter() weft.TaskFilter {
	f := weft.TaskFilter{Tag: w.Tag}
	switch {
	case w.Status != "":
		f.Statuses = []taskspec.Status{taskspec.Status(w.Status)}
	case !w.All && w.Tag == "":
		f.Statuses = taskspec.Unfinished()
	}
	return f
}

type listCmd struct {
	which
	rows
	Stats   bool `xor:"what" help:"Count all tasks by their status instead."`
	Workers bool `xor:"what" help:"List managers instead."`
}

func (c *listCmd) prepare(a *app) error {
	switch {
	case c.Tag != "" && (c.Stats || c.Workers):
		return usageError{"--tag does not go with --stats or --workers"}
	case c.Status != "" && c.Workers:
		return usageError{"--status does not go with --workers"}
	}
	return c.rows.prepare(a)
}

// Run lists tasks.
func (c *listCmd) Run(a *app, p *weft.Project) error {
	ctx, limit := context.Background(), c.limit(a)
	switch {
	case c.Workers:
		return a.listManagers(ctx, p, c.All, limit)
	case c.Stats:
		return c.printCounts(ctx, a, p)
	case limit == 0: // as they come: there may be any number
		f := c.filter()
		f.Oldest = true
		for s, err := range p.Tasks(ctx, f) {
			if err == nil {
				err = a.printListed(s)
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
	for _, s := range tasks {
		if err := a.printListed(s); err != nil {
			return err
		}
	}
	a.printMore(more)
	return nil
}

// printListed prints a task in a list.
func (a *app) printListed(s *weft.TaskStatus) error {
	line := fmt.Sprintf("%s%s", visible(s.Name), visible(waiting(s, " (", ")")))
	if waits := expected(s, time.Now()); waits != "" {
		line += " (" + waits + ")"
	}
	return a.emit(s, "%s %s %s\n", visible(s.TID), a.paint(standing(s)), line)
}

// printCounts counts tasks by status.
func (c *listCmd) printCounts(ctx context.Context, a *app, p *weft.Project) error {
	counts, err := p.CountTasks(ctx)
	if err != nil {
		return err
	}
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		if c.Status != "" && c.Status != string(status) {
			continue
		}
		if err := a.emit(object("status", status, "count", counts[status]), "%s: %d\n", a.paint(status), counts[status]); err != nil {
			return err
		}
	}
	return nil
}
