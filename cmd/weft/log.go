package main

import (
	"errors"
	"time"
)

type taskLogCmd struct {
	TID    string `arg:"" name:"tid" help:"The task: its id, the last digits of it, or @last."`
	Follow bool   `short:"f" help:"Wait for what is still to come, until the task has ended."`
}

// Help shows how it is used.
func (taskLogCmd) Help() string {
	return `It prints what has happened to a task since it was submitted. For what the task
printed see weft task output.

Examples:

    weft task log @last
    weft task log 1234567890 --follow --json
`
}

// Run prints the events of a task.
func (c *taskLogCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	in := interruptible()
	survivePipe()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	for e, err := range t.Events(in.first, c.Follow) {
		if errors.Is(err, errInterrupted) {
			return exitCode(exitInterrupted)
		}
		if err != nil {
			return err
		}
		if a.JSON {
			a.stdout.Printf("%s\n", e.Body)
		} else {
			line := e.Time.Local().Format(time.DateTime+".000") + "  " + e.Name
			if e.Error != "" {
				line += "  " + e.Error
			}
			a.stdout.Printf("%s\n", visible(line))
		}
		if err := a.stdout.Flush(); err != nil {
			return err
		}
	}
	return nil
}
