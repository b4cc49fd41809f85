package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
		f.Statuses = weft.Unfinished()
	}
	return f
}

type statusCmd struct {
	TID string `arg:"" optional:"" name:"tid" complete:"task" help:"One task: its id, the last digits of it, or @last."`
	which
	rows
	watching
}

func (c *statusCmd) prepare(a *app) error {
	if c.TID != "" && (c.Status != "" || c.Tag != "") {
		return usageError{"give the id of a task, or --status and --tag"}
	}
	return cmp.Or(c.rows.prepare(a), c.watching.prepare(a))
}

// Run shows the project, or one task.
func (c *statusCmd) Run(a *app, p *weft.Project) error {
	if c.Watch {
		return c.watch(a, p, c.TID, func(ctx context.Context) error { return c.show(ctx, a, p) })
	}
	return c.show(context.Background(), a, p)
}

// show shows how things stand now.
func (c *statusCmd) show(ctx context.Context, a *app, p *weft.Project) error {
	if c.TID != "" {
		return a.printTask(ctx, p, c.TID)
	}
	problems, err := p.System().Check(ctx)
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
		return a.printStatusJSON(ctx, p, problems, managers, tasks, services, trust)
	}
	system := "OK"
	if len(problems) > 0 {
		system = strings.Join(problems, "; ")
	}
	a.stdout.Printf("System: %s\n", visible(system))
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

func (a *app) printStatusJSON(ctx context.Context, p *weft.Project, problems []string, managers []weft.ManagerStatus, tasks []*weft.TaskStatus, services []weft.ServiceStatus, trust weft.TrustStatus) error {
	system := "ok"
	if len(problems) > 0 {
		system = "problem"
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
	o := object("system", system, "problems", append([]string{}, problems...), "manager", manager, "tasks", taskObjects, "trusted", trust.Trusted).
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
	return fmt.Sprintf("%d running, %d queued", count(counts, weft.Unfinished())-queued, queued)
}

// printTask prints all there is to know about one task.
func (a *app) printTask(ctx context.Context, p *weft.Project, tid string) error {
	t, err := p.Task(ctx, tid)
	if err != nil {
		return err
	}
	s, err := t.Status(ctx)
	if err != nil {
		return err
	}
	if a.JSON {
		details, err := taskDetails(ctx, t, s)
		if err != nil {
			return err
		}
		return a.printJSON(details)
	}
	line := func(name, value string) {
		if value != "" {
			a.stdout.Printf("%-10s %s\n", name+":", value)
		}
	}
	line("Task", visible(s.TID))
	line("Name", visible(s.Name))
	line("Status", a.paint(standing(s)))
	waits := expected(s, time.Now())
	if waitsForSlot(s) {
		full, err := fullText(ctx, p)
		if err != nil {
			return err
		}
		if full != "" {
			waits = "for a slot: " + full
		}
	}
	line("Waits", waits)
	line("Waits for", visible(s.WaitingFor))
	line("Outbox", visible(s.Outbox))
	past, err := t.PastAttempts(ctx)
	if err != nil {
		return err
	}
	for _, was := range past {
		line("Before", fmt.Sprintf("attempt %d %s in %s: %s", was.Attempt, visible(string(was.Status)), short(was.Elapsed(was.Completed)), visible(was.Error)))
	}
	if s.NotBefore.IsZero() && s.Tried > 1 {
		line("Attempt", fmt.Sprintf("%d of %d", s.Tried, s.MaxAttempts))
	}
	line("Error", visible(s.Error))
	line("Held by", visible(s.LimitMeans))
	line("Not given", visible(s.Narrowed))
	if s.ReturnCode != nil {
		line("Exit code", fmt.Sprint(*s.ReturnCode))
	}
	if s.PID != 0 {
		line("Process", fmt.Sprint(s.PID))
	}
	line("Progress", progressText(s))
	stages, err := a.stageTexts(ctx, t)
	if err != nil {
		return err
	}
	for _, text := range stages {
		line("Stage", text)
	}
	line("Items", itemsText(s))
	line("Parent", visible(s.ParentTID))
	line("Key", visible(s.Key))
	line("Tags", visible(strings.Join(s.Tags, ", ")))
	line("Service", visible(s.Service))
	line("Submitted", when(s.Created))
	line("Started", when(s.Started))
	line("Ended", when(s.Completed))
	if !s.Started.IsZero() {
		line("Time", short(s.Elapsed(time.Now())))
	}
	if s.Status.Terminal() && s.PeakMB > 0 {
		line("Used", fmt.Sprintf("%.2fs of CPU, %.1f MB of memory", s.CPUSeconds, s.PeakMB))
	}
	if s.Details != "" {
		a.stdout.Printf("Details:\n")
	}
	for text := range strings.Lines(s.Details) {
		a.stdout.Printf("    %s\n", visible(strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "    ")))
	}
	return nil
}

// progressText is how far a function is, or nothing if it does not say.
func progressText(s *weft.TaskStatus) string {
	var words []string
	switch {
	case s.Total > 0:
		words = append(words, fmt.Sprintf("%d of %d (%d%%)", s.Done, s.Total, int(100*float64(s.Done)/float64(s.Total))))
	case s.Done != 0:
		words = append(words, fmt.Sprint(s.Done))
	}
	if s.Note != "" {
		words = append(words, visible(s.Note))
	}
	return strings.Join(words, " ")
}

// when is a time, or nothing if it has not come.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", clock(t), short(time.Since(t)))
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
