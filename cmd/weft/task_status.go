package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weft"
	"weft/internal/jsonobject"
	"weft/taskspec"
)

type taskStatusCmd struct {
	TID     string `arg:"" name:"tid" complete:"task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`
	Process bool   `help:"Show its process (which is done anyway)."`
	watching
}

// Run shows one task.
func (c *taskStatusCmd) Run(a *app, p *weft.Project) error {
	show := func(ctx context.Context) error { return a.printTask(ctx, p, c.TID) }
	if c.Watch {
		return c.watch(a, p, &c.TID, show)
	}
	return show(context.Background())
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
	line("Command", visible(commandText(s)))
	for _, fact := range specFacts(s.Spec()) {
		line(fact.name, visible(fact.text))
	}
	line("Status", a.paint(standing(s)))
	line("Why", visible(s.Why))
	line("Outbox", visible(s.Outbox))
	past, err := t.PastAttempts(ctx)
	if err != nil {
		return err
	}
	for _, was := range past {
		line("Before", fmt.Sprintf("attempt %d %s in %s: %s", was.Attempt, visible(string(was.Status)), short(was.Elapsed(was.Completed)), visible(was.Error)))
	}
	if s.NotBefore.IsZero() && s.Tried > 1 {
		line("Attempt", attemptsText(s, time.Now()))
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
	a.printLines("Details", s.Details)
	a.printLines("Stderr", lastLines(string(s.Stderr), shownStderr))
	return nil
}

// printLines prints a text of several lines under its name, if there is any.
func (a *app) printLines(name, text string) {
	if text != "" {
		a.stdout.Printf("%s:\n", name)
	}
	for line := range strings.Lines(text) {
		a.stdout.Printf("    %s\n", visible(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")))
	}
}

// shownStderr is how many lines of its standard error the status of a task has.
const shownStderr = 10

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// A fact is a line about a task.
type fact struct{ name, text string }

// specFacts are what a spec says of how the work is done, unless that is the default.
func specFacts(spec *taskspec.Spec) []fact {
	if spec == nil {
		return nil
	}
	var limits []string
	limit := func(format string, value any) { limits = append(limits, fmt.Sprintf(format, value)) }
	if spec.Timeout > 0 {
		limit("%s", short(spec.Timeout))
	}
	if l := spec.Limits; l.MemoryMB != nil {
		limit("%v MB of memory", *l.MemoryMB)
	}
	if l := spec.Limits; l.CPUPercent != nil {
		limit("%v%% of a core", *l.CPUPercent)
	}
	if l := spec.Limits; l.MaxFDs != nil {
		limit("%d descriptors", *l.MaxFDs)
	}
	if l := spec.Limits; l.MaxConnections != nil {
		limit("%d connections", *l.MaxConnections)
	}
	if l := spec.Limits; l.OutputMB != nil {
		limit("%v MB of output", *l.OutputMB)
	}
	names := slices.Concat(slices.Sorted(maps.Keys(spec.Env)), spec.EnvFrom)
	return []fact{
		{"Directory", spec.WorkingDir},
		{"Limits", strings.Join(limits, ", ")},
		{"Env", strings.Join(names, ", ")}, // their values may be secret
		{"Input", inputText(spec)},
	}
}

// inputText says where the input comes from, if not from standard input.
func inputText(spec *taskspec.Spec) string {
	switch queue := spec.IO.Inputs["inbox"]; {
	case queue != "":
		return "from the queue " + queue
	case spec.TTY:
		return "from a terminal"
	case spec.Interactive, spec.Persistent:
		return "from its inbox"
	}
	return ""
}

// workingDir is where the work runs, or empty if that is not known.
func workingDir(s *weft.TaskStatus) taskspec.RawString {
	if spec := s.Spec(); spec != nil {
		return taskspec.RawString(spec.WorkingDir)
	}
	return ""
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

// taskDetails is all there is to know about one task, with its output if it has ended
// and that has not been consumed.
func taskDetails(ctx context.Context, t *weft.Task, s *weft.TaskStatus) (*jsonobject.Object, error) {
	r := &weft.Result{TaskStatus: *s}
	if s.Status.Terminal() {
		peeked, err := t.Peek(ctx)
		switch {
		case err == nil:
			r = peeked
		case !errors.Is(err, weft.ErrResultConsumed):
			return nil, err
		}
	}
	o := object().AddFields(r).AddFields(s).
		AddUnlessZero("working_dir", workingDir(s)).AddUnlessZero("outbox", s.Outbox).AddUnlessZero("parent_tid", s.ParentTID).AddUnlessZero("key", s.Key)
	if progressText(s) != "" || s.Total != 0 {
		o.Add("progress", object("done", s.Done, "total", s.Total, "note", s.Note))
	}
	stages, err := stageObjects(ctx, t)
	if err != nil {
		return nil, err
	}
	past, err := t.PastAttempts(ctx)
	var attempts []*jsonobject.Object
	for _, was := range past {
		attempts = append(attempts, object("attempt", was.Attempt, "status", was.Status, "return_code", was.ReturnCode,
			"error", was.Error).AddTime("started", was.Started).AddTime("completed", was.Completed))
	}
	return o.AddUnlessZero("stages", stages).AddUnlessZero("attempts", attempts), err
}
