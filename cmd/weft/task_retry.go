package main

import (
	"weft"
	"weft/taskspec"
)

type taskRetryCmd struct {
	TIDs    []string `arg:"" optional:"" name:"tid" sep:"none" complete:"failed-task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running."`
	All     bool     `help:"All tasks that ended and did not complete."`
	Pattern string   `placeholder:"GLOB" help:"All tasks that ended and did not complete and whose name matches."`
	Batch   string   `placeholder:"ID" complete:"-" help:"All tasks of this batch that ended and did not complete."`
	Failed  bool     `help:"Leave out what was stopped."`
}

// Run runs tasks again.
func (c *taskRetryCmd) Run(a *app, p *weft.Project) error {
	which := chosen{c.TIDs, c.All, c.Pattern, c.Batch}
	among := incomplete()
	if c.Failed {
		among = taskspec.Failures()
	}
	return which.sweep(a, p, among, afterwards((*weft.Task).Retry))
}

// incomplete are the ends of tasks that did not complete.
func incomplete() []taskspec.Status {
	return []taskspec.Status{
		taskspec.StatusFailed, taskspec.StatusTimeout, taskspec.StatusCancelled, taskspec.StatusKilled,
	}
}
