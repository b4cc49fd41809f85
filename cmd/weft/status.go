package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"weft"
	"weft/taskspec"
)

type statusCmd struct {
	TID    string `arg:"" optional:"" name:"tid" complete:"task" help:"One task: its id, the last digits of it, or @last."`
	All    bool   `help:"Show the tasks that have ended too."`
	Status string `enum:",created,spawning,running,completed,failed,timeout,cancelled,killed" default:"" placeholder:"STATUS" help:"Show only tasks with this status."`
	watching
}

// Help shows how it is used.
func (statusCmd) Help() string {
	return `With --watch it is shown again whenever something happens; where the output is
no terminal, what happens is printed instead, one JSON object a line.

Examples:

    weft status
    weft status --watch
    weft status --all
    weft status --status failed
    weft status @last
`
}

// Run shows the project, or one task.
func (c *statusCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	if c.Watch {
		return c.watch(a, p, c.TID, func(ctx context.Context) error { return c.show(ctx, a, p) })
	}
	return c.show(context.Background(), a, p)
}

// show shows how things stand now.
func (c *statusCmd) show(ctx context.Context, a *app, p *weft.Context) error {
	if c.TID != "" {
		return a.printTask(ctx, p, c.TID)
	}
	problems, err := p.System().Check(ctx)
	if err != nil {
		return err
	}
	managers, err := managers(ctx, p, false)
	if err != nil {
		return err
	}
	live, queued, err := liveText(p.Tasks(ctx, weft.TaskFilter{Statuses: weft.Unfinished()}))
	if err != nil {
		return err
	}
	full := ""
	if queued {
		if full, err = fullText(ctx, p); err != nil {
			return err
		}
	}
	var tasks []*weft.Status
	for s, err := range p.Tasks(ctx, selected(c.Status, c.All)) {
		if err != nil {
			return err
		}
		tasks = append(tasks, s)
	}
	services, err := weft.Services(ctx, p)
	if err != nil {
		return err
	}
	trust, err := weft.Trusted(ctx, p)
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
	a.stdout.Printf("Tasks: %s\n", live)
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
	}
	return nil
}

func (a *app) printStatusJSON(ctx context.Context, p *weft.Context, problems []string, managers []weft.ManagerStatus, tasks []*weft.Status, services []weft.ServiceStatus, trust weft.TrustStatus) error {
	v := struct {
		System   string       `json:"system"` // "ok", or "problem"
		Problems []string     `json:"problems"`
		Manager  *managerLine `json:"manager"`
		Tasks    []taskLine   `json:"tasks"`
		Trusted  bool         `json:"trusted"`
		// Services are there where there are manifests.
		Services []serviceLine `json:"services,omitempty"`
		// Slots are there where none is free.
		Slots *slotsLine `json:"slots,omitempty"`
	}{System: "ok", Problems: []string{}, Tasks: []taskLine{}, Trusted: trust.Trusted}
	if len(problems) > 0 {
		v.System, v.Problems = "problem", problems
	}
	taken, all, err := p.Manager().Slots(ctx)
	if err != nil {
		return err
	}
	if all > 0 && taken >= all {
		v.Slots = &slotsLine{taken, all}
	}
	for _, m := range managers {
		v.Manager = new(newManagerLine(m))
	}
	for _, s := range tasks {
		line := newTaskLine(s)
		if s.Pipeline {
			t, err := p.Task(ctx, s.TID)
			if err == nil {
				line.Stages, err = stageLines(ctx, t)
			}
			if err != nil {
				return err
			}
		}
		v.Tasks = append(v.Tasks, line)
	}
	for _, s := range services {
		v.Services = append(v.Services, newServiceLine(s))
	}
	return a.printJSON(v)
}

// liveText counts tasks that have not ended.
func liveText(live iter.Seq2[*weft.Status, error]) (text string, waits bool, err error) {
	running, queued := 0, 0
	for s, err := range live {
		switch {
		case err != nil:
			return "", false, err
		case s.Status == taskspec.StatusCreated:
			queued++
		default:
			running++
		}
	}
	return fmt.Sprintf("%d running, %d queued", running, queued), queued > 0, nil
}

// selected means the tasks with one status, or all of them, or those that have
// not ended.
func selected(status string, all bool) weft.TaskFilter {
	f := weft.TaskFilter{Oldest: true}
	switch {
	case status != "":
		f.Statuses = []taskspec.Status{taskspec.Status(status)}
	case !all:
		f.Statuses = weft.Unfinished()
	}
	return f
}

// printTask prints all there is to know about one task.
func (a *app) printTask(ctx context.Context, p *weft.Context, tid string) error {
	t, err := p.Task(ctx, tid)
	if err != nil {
		return err
	}
	s, err := t.Status(ctx)
	if err != nil {
		return err
	}
	if a.JSON {
		v, err := newTaskDetails(ctx, t, s)
		if err != nil {
			return err
		}
		return a.printJSON(v)
	}
	line := func(name, value string) {
		if value != "" {
			a.stdout.Printf("%-10s %s\n", name+":", value)
		}
	}
	line("Task", s.TID)
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
	past, err := weft.PastAttempts(ctx, t)
	if err != nil {
		return err
	}
	for _, was := range past {
		line("Before", fmt.Sprintf("attempt %d %s in %s: %s", was.Attempt, was.Status, short(elapsed(was)), visible(was.Error)))
	}
	if s.NotBefore.IsZero() && s.Tried > 1 {
		line("Attempt", fmt.Sprintf("%d of %d", s.Tried, s.MaxAttempts))
	}
	line("Error", visible(s.Error))
	line("Held by", s.LimitMeans)
	line("Not given", s.Narrowed)
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
	line("Parent", s.ParentTID)
	line("Key", visible(s.Key))
	line("Service", visible(s.Service))
	line("Submitted", when(s.Created))
	line("Started", when(s.Started))
	line("Ended", when(s.Completed))
	if !s.Started.IsZero() {
		line("Time", short(elapsedUntil(s, time.Now())))
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
func progressText(s *weft.Status) string {
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

// when is a moment, or nothing where it has not come.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", clock(t), short(time.Since(t)))
}

type listCmd struct {
	All     bool   `help:"List the tasks that have ended too."`
	Status  string `enum:",created,spawning,running,completed,failed,timeout,cancelled,killed" default:"" placeholder:"STATUS" help:"List only tasks with this status."`
	Stats   bool   `help:"Count all tasks by their status instead."`
	Workers bool   `help:"List managers instead."`
}

// Help shows how it is used.
func (listCmd) Help() string {
	return `A line has the id, the status and the name of a task, oldest first.

Examples:

    weft list
    weft list --all --json
    weft list --stats
`
}

// Run lists tasks.
func (c *listCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if c.Workers {
		return a.listManagers(ctx, p, c.All)
	}
	tasks := p.Tasks(ctx, selected(c.Status, c.All || c.Stats))
	if c.Stats {
		return a.printCounts(tasks)
	}
	for s, err := range tasks {
		if err != nil {
			return err
		}
		if a.JSON {
			if err := a.printJSON(newTaskLine(s)); err != nil {
				return err
			}
			continue
		}
		a.stdout.Printf("%s %s %s%s", s.TID, a.paint(standing(s)), visible(s.Name), visible(waiting(s, " (", ")")))
		if waits := expected(s, time.Now()); waits != "" {
			a.stdout.Printf(" (%s)", waits)
		}
		a.stdout.Printf("\n")
	}
	return nil
}

// printCounts counts tasks by status.
func (a *app) printCounts(tasks iter.Seq2[*weft.Status, error]) error {
	type count struct {
		Status taskspec.Status `json:"status"`
		Count  int             `json:"count"`
	}
	var counts []count
	for s, err := range tasks {
		if err != nil {
			return err
		}
		i := slices.IndexFunc(counts, func(c count) bool { return c.Status == s.Status })
		if i < 0 {
			i = len(counts)
			counts = append(counts, count{Status: s.Status})
		}
		counts[i].Count++
	}
	slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.Status, b.Status) })
	for _, c := range counts {
		if a.JSON {
			if err := a.printJSON(c); err != nil {
				return err
			}
			continue
		}
		a.stdout.Printf("%s: %d\n", a.paint(c.Status), c.Count)
	}
	return nil
}
