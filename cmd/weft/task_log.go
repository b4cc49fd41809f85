package main

import (
	"context"
	"errors"
	"time"

	"weft"
)

type taskLogCmd struct {
	TID    string `arg:"" name:"tid" complete:"task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`
	Follow bool   `short:"f" help:"Wait for what is still to come, until the task has ended."`
}

// Run prints the events of a task.
func (c *taskLogCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	text := eventLine
	if a.JSON {
		text = eventBody
	}
	err = a.printEvents(in.first, t, c.Follow, text)
	if errors.Is(err, errInterrupted) {
		return exitCode(exitInterrupted)
	}
	return err
}

// printEvents prints what has happened to a task, each event as text writes it;
// with follow also what is still to come, until it has ended.
func (a *app) printEvents(ctx context.Context, t *weft.Task, follow bool, text func(weft.Event) string) error {
	for e, err := range t.Events(ctx, follow) {
		if err != nil {
			return err
		}
		if _, err := a.shown(false).Write([]byte(text(e) + "\n")); err != nil {
			return err
		}
	}
	return nil
}

// eventBody is all of an event, as it is kept.
func eventBody(e weft.Event) string { return e.Body }

// eventLine is what a person wants to know of an event.
func eventLine(e weft.Event) string {
	line := e.Time.Local().Format(time.DateTime+".000") + "  " + e.Name
	if e.Name == "task_retried" && e.Error != "" {
		return visible(line + "  " + retryText(e))
	}
	if e.Error != "" {
		line += "  " + e.Error
	}
	return visible(line)
}
