package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"weft"
	"weft/taskspec"
)

type statusCmd struct {
	TID string `arg:"" optional:"" name:"tid" complete:"task" help:"One task: its id, the end of it, its name, @last, @failed or @running."`
	which
	rows
	watching
}

func (c *statusCmd) prepare(a *app) error {
	if c.TID != "" && c.chooses() {
		return usageError{"give the id of a task, or choose among all with --status, --failed, --tag, --name and --since"}
	}
	return cmp.Or(c.rows.prepare(a), c.watching.prepare(a))
}

// Run shows the project, or one task.
func (c *statusCmd) Run(a *app, p *weft.Project) error {
	if c.Watch {
		return c.watch(a, p, &c.TID, func(ctx context.Context) error { return c.show(ctx, a, p) })
	}
	return c.show(context.Background(), a, p)
}

// show shows how things stand now.
func (c *statusCmd) show(ctx context.Context, a *app, p *weft.Project) error {
	if c.TID != "" {
		return a.printTask(ctx, p, c.TID)
	}
	checks, err := p.System().Check(ctx)
	if err != nil {
		return err
	}
	managers, err := p.Manager().Running(ctx)
	if err != nil {
		return err
	}
	counts, err := p.CountTasks(ctx)
	if err != nil {
		return err
	}
	full := ""
	if counts[taskspec.StatusCreated] > 0 {
		if full, err = fullText(ctx, p); err != nil {
			return err
		}
	}
	tasks, more, err := newest(ctx, p, c.filter(), c.limit(a))
	if err != nil {
		return err
	}
	services, err := p.Services(ctx)
	if err != nil {
		return err
	}
	trust, err := p.TrustStatus(ctx)
	if err != nil {
		return err
	}
	if a.JSON {
		return a.printStatusJSON(ctx, p, checks, managers, tasks, services, trust)
	}
	a.stdout.Printf("System: %s\n", systemText(checks))
	a.stdout.Printf("Manager: %s\n", managerText(managers))
	a.stdout.Printf("Tasks: %s\n", liveText(counts))
	if full != "" {
		a.stdout.Printf("Slots: %s\n", full)
	}
	if text := trust.String(); text != "" {
		a.stdout.Printf("Trust: %s: weft trust\n", text)
	}
	a.printServices(services, time.Now())
	if len(tasks) > 0 {
		a.stdout.Printf("\n")
		a.printTasks(tasks, time.Now())
		a.printMore(more)
	}
	return nil
}

// systemText is OK, or a line for each problem, with what to do about it.
func systemText(checks []weft.Finding) string {
	var problems []string
	for _, f := range checks {
		if f.State == weft.FindingProblem {
			problems = append(problems, visible(f.String()))
		}
	}
	if len(problems) == 0 {
		return "OK"
	}
	return strings.Join(problems, "\n        ")
}

func (a *app) printStatusJSON(ctx context.Context, p *weft.Project, checks []weft.Finding, managers []weft.ManagerStatus, tasks []*weft.TaskStatus, services []weft.ServiceStatus, trust weft.TrustStatus) error {
	system, checkObjects := "ok", []any{}
	for _, f := range checks {
		if f.State == weft.FindingProblem {
			system = "problem"
		}
		checkObjects = append(checkObjects, findingObject(f))
	}
	var manager any
	for _, m := range managers {
		manager = managerObject(m)
	}
	taskObjects := []any{}
	for _, s := range tasks {
		if !s.Pipeline {
			taskObjects = append(taskObjects, s)
			continue
		}
		t, err := p.Task(ctx, s.TID)
		if err != nil {
			return err
		}
		stages, err := stageObjects(ctx, t)
		if err != nil {
			return err
		}
		taskObjects = append(taskObjects, object().AddFields(s).AddUnlessZero("stages", stages))
	}
	var serviceObjects []any
	for _, s := range services {
		serviceObjects = append(serviceObjects, serviceObject(s))
	}
	o := object("system", system, "checks", checkObjects, "manager", manager, "tasks", taskObjects, "trusted", trust.Trusted).
		AddUnlessZero("services", serviceObjects)
	taken, all, err := p.Manager().Slots(ctx)
	if err != nil {
		return err
	}
	if all > 0 && taken >= all {
		o.Add("slots", object("taken", taken, "all", all))
	}
	return a.printJSON(o)
}

// liveText says how many tasks have not ended.
func liveText(counts map[taskspec.Status]int) string {
	queued := counts[taskspec.StatusCreated]
	return fmt.Sprintf("%d running, %d queued", count(counts, taskspec.Unfinished())-queued, queued)
}
