package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weft"
	"weft/internal/jsonobject"
	"weft/internal/literal"
	"weft/taskspec"
)

// runPipeline submits a pipeline and, unless flags say otherwise, shows it to its end.
func (r *runCmd) runPipeline(a *app) error {
	if err := r.checkPipeline(); err != nil {
		return err
	}
	if err := r.ready(a); err != nil {
		return err
	}
	var pipeline *weft.Pipeline // from a pipe, it can be read only once
	p, err := a.openOrCreate(func() (err error) {
		pipeline, err = a.newPipeline(*r.Pipeline)
		return err
	}, r.Autostart)
	if err == nil && pipeline == nil {
		if pipeline, err = p.Pipelines().Find(*r.Pipeline); errors.Is(err, weft.ErrNoSpec) {
			if _, other := p.Specs().Find(*r.Pipeline); other == nil {
				err = usageError{fmt.Sprintf("%s is no pipeline but a task: weft run --spec %[1]s", *r.Pipeline)}
			}
		}
	}
	if err != nil {
		return err
	}
	if r.Name != "" {
		pipeline.Name = r.Name
	}
	pipeline.Key = r.Key
	if r.Delay != nil {
		pipeline.Delay = literal.Start(*r.Delay).Delay(time.Now())
	}
	in := interruptible()
	last := pipeline.Stages[len(pipeline.Stages)-1]
	spec := taskspec.Spec{Work: taskspec.Work{Type: last.Spec.Type}} // of nothing that talks
	var options weft.SubmitOptions
	if r.Input != nil {
		if err := r.onlyInput(a, in); err != nil {
			return err
		}
		pipeline.Stages[0].Input = literal.Value(*r.Input)
	} else {
		options = r.surroundings(a, in, p, &spec)
	}
	t, err := p.SubmitPipeline(in.first, pipeline, options)
	if t == nil || err != nil && !in.interrupted() {
		return err
	}
	return r.await(a, in, p, t, &spec, nil)
}

// newPipeline finds a pipeline for a project that has nothing in it yet, unless it
// would be refused there.
func (a *app) newPipeline(name string) (*weft.Pipeline, error) {
	pipeline, err := a.pipelines().Find(name)
	if err != nil {
		return nil, err
	}
	for _, stage := range pipeline.Stages {
		if err := weft.Check(stage.Spec); err != nil {
			return nil, fmt.Errorf("stage %s: %w", stage.Name, err)
		}
	}
	return pipeline, nil
}

// checkPipeline refuses what does not go with a pipeline, whose stages are
// described by their specs.
func (r *runCmd) checkPipeline() error {
	switch {
	case r.Pipeline == nil:
		return usageError{"--input goes with --pipeline; a command reads its standard input"}
	case len(r.Command) > 0:
		return usageError{"--pipeline does not go with a command"}
	}
	for _, option := range []struct {
		name  string
		given bool
	}{
		{"spec", r.Spec != nil},
		{"function", r.Function != nil},
		{"arg", len(r.Arg) > 0},
		{"kw", len(r.KW) > 0},
		{"inline", r.Inline},
		{"stream-output", r.StreamOutput},
		{"interactive", r.Interactive},
		{"tty", r.TTY},
		{"continuous", r.Continuous},
		{"timeout", r.Timeout != nil},
		{"retries", r.Retries != nil},
		{"stop-grace", r.StopGrace != nil},
		{"memory", r.Memory != nil},
		{"cpu", r.CPU != nil},
		{"env", len(r.Env) > 0},
		{"dir", r.Dir != ""},
		{"tag", len(r.Tag) > 0},
	} {
		if option.given {
			return usageError{fmt.Sprintf("--%s does not go with --pipeline: say it in the specs of its stages", option.name)}
		}
	}
	return nil
}

// stageObjects are the stages of a pipeline in JSON, one that has not begun without a
// status; nil of what is none.
func stageObjects(ctx context.Context, t *weft.Task) (all []*jsonobject.Object, err error) {
	stages, err := t.Stages(ctx)
	for _, s := range stages {
		all = append(all, object("name", s.Name).AddOrNull("tid", s.TID).AddUnlessZero("status", s.Status).
			AddOrNull("error", s.Error).Add("started_at", s.Started).Add("completed_at", s.Completed))
	}
	return all, err
}

// stageText says which stage a running pipeline has come to.
func stageText(s *weft.TaskStatus) string {
	if s.StageCount == 0 {
		return ""
	}
	return fmt.Sprintf("stage %d of %d: %s", s.StageNumber, s.StageCount, s.Stage)
}

// stageTexts says of each stage of a pipeline how it stands, a line for each.
func (a *app) stageTexts(ctx context.Context, t *weft.Task) (lines []string, err error) {
	stages, err := t.Stages(ctx)
	width := 0
	for _, s := range stages {
		width = max(width, len(visible(s.Name)))
	}
	for _, s := range stages {
		line := fmt.Sprintf("%-*s", width, visible(s.Name))
		if s.TID != "" {
			line += fmt.Sprintf("  %s  %s", visible(taskspec.ShortTID(s.TID)), a.paint(standing(s)))
		}
		if !s.Started.IsZero() {
			line += "  " + short(s.Elapsed(time.Now()))
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines, err
}
