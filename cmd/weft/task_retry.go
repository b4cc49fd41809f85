package main

import (
	"time"

	"weft"
	"weft/taskspec"
)

type taskRetryCmd struct {
	TIDs    []string `arg:"" optional:"" name:"tid" sep:"none" complete:"failed-task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running."`
	All     bool     `help:"All tasks that ended and did not complete."`
	Failed  bool     `help:"Tasks that failed, timed out or were killed, and not those that were stopped."`
	Since   *moment  `placeholder:"TIME" help:"Tasks that ended since then and did not complete: 2h, 1d, 2026-11-21T14:03."`
	Pattern string   `placeholder:"GLOB" help:"Tasks that did not complete and whose name matches."`
	Tag     string   `complete:"-" help:"Tasks that did not complete and have this tag."`
	Batch   string   `placeholder:"ID" complete:"-" help:"Tasks of this batch that did not complete."`
}

func (c *taskRetryCmd) prepare(*app) error {
	return c.filter().check(c.TIDs, c.All, "--failed, --since TIME, --pattern GLOB, --tag TAG or --batch ID")
}

// filter is what the options select.
func (c *taskRetryCmd) filter() selection {
	s := selection{weft.TaskFilter{Name: c.Pattern, Tag: c.Tag, Batch: c.Batch, Oldest: true}}
	if c.Since != nil {
		s.Since = time.Time(*c.Since)
	}
	if c.Failed {
		s.Statuses = taskspec.Failures()
	}
	return s
}

// Run runs tasks again.
func (c *taskRetryCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	tids, err := c.filter().find(in.first, p, c.TIDs, c.All, incomplete())
	if err != nil {
		return err
	}
	return a.sweep(in, p, tids, incomplete(), afterwards((*weft.Task).Retry))
}

// incomplete are the ends of tasks that did not complete.
func incomplete() []taskspec.Status {
	return []taskspec.Status{
		taskspec.StatusFailed, taskspec.StatusTimeout, taskspec.StatusCancelled, taskspec.StatusKilled,
	}
}
