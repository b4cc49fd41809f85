package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"weft"
	"weft/taskspec"
)

type taskCmd struct {
	Status taskStatusCmd `cmd:"" help:"Show one task."`
	List   listCmd       `cmd:"" help:"List tasks, one a line."`
	Stop   taskStopCmd   `cmd:"" help:"End tasks: SIGTERM and, after their grace, SIGKILL."`
	Kill   taskKillCmd   `cmd:"" help:"End tasks at once, with all their processes."`
	Pause  taskPauseCmd  `cmd:"" help:"Let running tasks stand still."`
	Resume taskResumeCmd `cmd:"" help:"Let paused tasks go on."`
	Ping   taskPingCmd   `cmd:"" help:"Ask a running task for a sign of life."`
	Retry  taskRetryCmd  `cmd:"" help:"Run tasks again that have ended."`
	Rm     taskRmCmd     `cmd:"" help:"Remove tasks that have ended."`
	Log    taskLogCmd    `cmd:"" help:"Print what has happened to a task."`
	Output logsCmd       `cmd:"" help:"Print what tasks have written: weft logs."`
	TID    taskTIDCmd    `cmd:"" name:"tid" help:"Find the id of a task."`
}

// chosen says which tasks an order concerns.
type chosen struct {
	TIDs    []string `arg:"" optional:"" name:"tid" sep:"none" complete:"live-task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running."`
	All     bool     `help:"All tasks that have not ended."`
	Pattern string   `placeholder:"GLOB" help:"All tasks that have not ended and whose name matches."`
	Batch   string   `placeholder:"ID" complete:"-" help:"All tasks of this batch that have not ended."`
	Tag     string   `complete:"-" help:"All tasks with this tag that have not ended."`
}

func (c *chosen) prepare(*app) error {
	return c.filter().check(c.TIDs, c.All, "--pattern GLOB, --tag TAG or --batch ID")
}

// filter is what the options select among the tasks that an order is for.
func (c *chosen) filter() selection {
	return selection{weft.TaskFilter{Name: c.Pattern, Tag: c.Tag, Batch: c.Batch, Oldest: true}}
}

// A selection is what options say of the tasks that an order concerns.
type selection struct{ weft.TaskFilter }

// selects reports whether the options select anything.
func (s selection) selects() bool {
	return s.Name != "" || s.Tag != "" || s.Batch != "" || !s.Since.IsZero() || len(s.Statuses) > 0
}

// check refuses an order that names tasks and selects others, or that does neither. ways are
// the options that select.
func (s selection) check(tids []string, all bool, ways string) error {
	if named := len(tids) > 0; named == (all || s.selects()) {
		return usageError{"give the ids of tasks, or select them: --all, " + ways}
	}
	return nil
}

type taskStopCmd struct{ chosen }

// Run stops tasks.
func (c *taskStopCmd) Run(a *app, p *weft.Project) error {
	return c.sweep(a, p, taskspec.Unfinished(), (*weft.Task).Stop)
}

type taskKillCmd struct{ chosen }

// Run kills tasks.
func (c *taskKillCmd) Run(a *app, p *weft.Project) error {
	return c.sweep(a, p, taskspec.Unfinished(), (*weft.Task).Kill)
}

// sweep gives an order to every chosen task; the options choose among tasks with one of
// the statuses.
func (c *chosen) sweep(a *app, p *weft.Project, among []taskspec.Status, do order) error {
	in := interruptible()
	tids, err := c.filter().find(in.first, p, c.TIDs, c.All, among)
	if err != nil {
		return err
	}
	return a.sweep(in, p, tids, among, do)
}

// An order is what is done to a task; it returns how the task then stands.
type order func(*weft.Task, context.Context) (*weft.TaskStatus, error)

// sweep gives an order that is for tasks with one of the statuses, whatever becomes of the
// others, and says how each one then stands or why it could not be done. The exit code is
// that of the first failure.
func (a *app) sweep(in *interrupts, p *weft.Project, tids []string, among []taskspec.Status, do order) error {
	// What has not ended is what a name stands for, if that is what the order is for.
	unended := slices.DeleteFunc(slices.Clone(among), taskspec.Status.Terminal)
	type outcome struct {
		s   *weft.TaskStatus
		err error
	}
	// At most so many at once: each of them holds a waiter.
	slots := make(chan struct{}, 32)
	outcomes := make([]chan outcome, len(tids))
	for i, tid := range tids {
		outcomes[i] = make(chan outcome, 1)
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t, err := p.OnlyTask(in.first, tid, unended...)
			if err != nil {
				outcomes[i] <- outcome{err: err}
				return
			}
			s, err := do(t, in.first)
			outcomes[i] <- outcome{s, err}
		}()
	}
	code := 0
	for _, arrived := range outcomes {
		o := <-arrived
		if errors.Is(o.err, weft.ErrUnrecorded) {
			a.note("%v", o.err)
			o.err = nil
		}
		if o.err == nil {
			o.err = a.printEnd(o.s)
		}
		if failed := a.report(o.err); code == 0 {
			code = failed
		}
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// find returns what to call the tasks that are named, or else selected among those with one of
// the statuses, of which nothing is said otherwise.
func (s selection) find(ctx context.Context, p *weft.Project, tids []string, all bool, among []taskspec.Status) ([]string, error) {
	if len(tids) > 0 {
		return tids, nil
	}
	f := s.TaskFilter
	if all {
		f = weft.TaskFilter{Statuses: f.Statuses, Oldest: true}
	}
	if len(f.Statuses) == 0 {
		f.Statuses = among
	}
	for t, err := range p.Tasks(ctx, f) {
		if err != nil {
			return nil, err
		}
		if t.Service != "" && t.Status.Terminal() {
			continue // whether it runs again its manifest says
		}
		tids = append(tids, t.TID)
	}
	if len(tids) == 0 && f.Name != "" {
		return nil, fmt.Errorf("%w matches %s", weft.ErrNoTask, f.Name)
	}
	return tids, nil
}

type taskTIDCmd struct {
	TID     string `arg:"" optional:"" name:"tid" complete:"task" help:"The end of the id, the name, @last, @failed or @running."`
	PID     int    `name:"pid" xor:"what" help:"The process of a running task instead."`
	Reverse string `xor:"what" placeholder:"TID" complete:"task" help:"Print the short form of this id instead."`
}

// Run prints the id of a task.
func (c *taskTIDCmd) Run(a *app, p *weft.Project) error {
	tid, err := c.find(context.Background(), p)
	if err != nil {
		return err
	}
	shown := tid
	if c.Reverse != "" {
		shown = taskspec.ShortTID(tid)
	}
	return a.emit(object("tid", tid, "tid_short", taskspec.ShortTID(tid)), "%s\n", shown)
}

func (c *taskTIDCmd) find(ctx context.Context, p *weft.Project) (string, error) {
	if c.PID == 0 {
		name := c.TID + c.Reverse
		if name == "" || c.TID != "" && c.Reverse != "" {
			return "", usageError{"give the id of a task, or --pid, or --reverse"}
		}
		t, err := p.Task(ctx, name)
		if err != nil {
			return "", err
		}
		return t.TID(), nil
	}
	for s, err := range p.Tasks(ctx, weft.TaskFilter{Statuses: []taskspec.Status{taskspec.StatusSpawning, taskspec.StatusRunning}}) {
		if err != nil {
			return "", err
		}
		if s.PID == c.PID {
			return s.TID, nil
		}
	}
	return "", fmt.Errorf("process %s: %w", strconv.Itoa(c.PID), weft.ErrNoTask)
}
