package main

import (
	"slices"

	"weft"
	"weft/taskspec"
)

type taskRmCmd struct {
	TIDs []string `arg:"" name:"tid" sep:"none" complete:"task" help:"The tasks: their ids, the ends of them, their names, @last or @failed."`
}

// Run removes tasks, whatever becomes of the others. The exit code is that of the first
// failure.
func (c *taskRmCmd) Run(a *app, p *weft.Project) error {
	ctx := interruptible().first
	ended := slices.DeleteFunc(taskspec.Statuses(), func(s taskspec.Status) bool { return !s.Terminal() })
	code := 0
	for _, address := range c.TIDs {
		t, err := p.OnlyTask(ctx, address, ended...)
		if err == nil {
			err = t.Remove(ctx)
		}
		switch {
		case err == nil && a.JSON:
			err = a.printJSON(object("tid", t.TID(), "removed", true))
		case err == nil:
			a.stdout.Printf("%s removed\n", taskspec.ShortTID(t.TID()))
		}
		if failed := a.report(err); code == 0 {
			code = failed
		}
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}
