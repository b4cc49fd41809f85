package main

import (
	"weft"
	"weft/taskspec"
)

type taskRetryCmd struct {
	TIDs    []string `arg:"" optional:"" name:"tid" sep:"none" complete:"failed-task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running."`
	All     bool     `help:"All tasks that ended and did not complete."`
	Pattern string   `placeholder:"GLOB" help:"All tasks that ended and did not complete and whose name matches."`
}

// Run runs tasks again.
func (c *taskRetryCmd) Run(a *app, p *weft.Project) error {
	which := chosen{c.TIDs, c.All, c.Pattern}
	return which.sweep(a, p, incomplete(), afterwards((*weft.Task).Retry))
}

// incomplete are the ends of tasks that did not complete.
func incomplete() []taskspec.Status {
	return []taskspec.Status{
		taskspec.StatusFailed, taskspec.StatusTimeout, taskspec.StatusCancelled, taskspec.StatusKilled,
	}
}
