package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// A Pipeline is stages that are run one after the other, each a task of its own
// that works on what the one before it has written. One that is stored, or in a
// file, is read by [PipelineFolder.Find].
type Pipeline struct {
	// Name is required, and like that of a task.
	Name string
	// Description is free text for people.
	Description string
	// Stages are required, from 1 to 100.
	Stages []Stage
	// Key stands for the pipeline as that of a spec does for a task, and Delay is the
	// least time between the submission and the first stage. Both may be zero.
	Key   string
	Delay time.Duration
}

// A Stage of a [Pipeline] is a task.
type Stage struct {
	// Name is what the stage is called; empty means the name of its spec. No two
	// stages of a pipeline have the same.
	Name string
	// Spec is what the stage does: a template, as for [Project.Submit]. It cannot
	// be interactive or persistent, stream its output or have a key.
	//
	// With io.inputs.inbox the stage takes its work item from that queue, instead of
	// what the stage before it has written. With io.outputs.outbox what it writes
	// goes to that queue as well, in the form that a task's result has.
	Spec *taskspec.Spec
	// Input is the work item of the stage, instead of what the stage before it has
	// written; nil means none. Text is standard input to a command; of any other
	// value that encodes to JSON a function gets the value. Of the first stage it
	// counts if the pipeline is submitted without an input ([SubmitOptions].Stdin).
	Input any
}

// SubmitPipeline asks for a pipeline and returns once that is durable: it is run by
// the manager, whatever becomes of this process. The task that it returns is the
// pipeline: its result is that of the last stage, it fails with the first stage that
// does not complete, and names it; [Task.Stop] and [Task.Kill] end the stage that
// runs, and [Task.Retry] goes on at the stage that did not complete. Each stage is a
// task too: see [Task.Stages].
//
// The output of a command is the standard input of the next one, byte for byte; a
// function gets it as its argument, in JSON if it is that, else as text. The value of
// a function is the argument of the next; a command gets text as its standard input,
// and any other value as a work item, of which args and stdin are what they say. What
// is larger than 64 KiB stays in its file, which is the input of a command; a function
// gets an object whose "path" leads to it.
//
// A bad pipeline gives an error that names the stage and every problem of it. What
// else is said of [Project.SubmitContext] holds here.
func (p *Project) SubmitPipeline(ctx context.Context, pl *Pipeline, opts ...SubmitOptions) (*Task, error) {
	s, err := preparePipeline(ctx, p, pl, last(opts))
	if err != nil {
		return nil, fmt.Errorf("submit pipeline: %w", err)
	}
	a, err := submitOnce(ctx, p, []ledger.Submission{s})
	if err != nil {
		return nil, fmt.Errorf("submit pipeline: %w", err)
	}
	tasks, err := a.attendOrWithdraw(ctx)
	if len(tasks) == 0 {
		return nil, fmt.Errorf("submit pipeline: %w", err)
	}
	return tasks[0], err
}

// RunPipeline is [Project.RunContext] for a pipeline.
func (p *Project) RunPipeline(ctx context.Context, pl *Pipeline, opts ...SubmitOptions) (*Result, error) {
	t, err := p.SubmitPipeline(ctx, pl, opts...)
	return runToEnd(ctx, t, err)
}

// Stages returns how the stages of a pipeline stand, in their order; nil for a task
// that is none, or has not begun. Of a stage that has not begun only Name is known. The
// error wraps [ErrNoTask] if the pipeline has been removed.
func (t *Task) Stages(ctx context.Context) ([]*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil || l.Plan == nil {
		return nil, err
	}
	var all []*TaskStatus
	err = t.project.broker.View(ctx, func(r broker.Reader) error {
		all = nil
		stages, err := ledger.StagesOf(r, l)
		for i, s := range stages {
			if s == nil {
				all = append(all, &TaskStatus{Name: l.Plan.Stages[i].Name})
			} else {
				all = append(all, newStatus(s))
			}
		}
		return err
	})
	return all, err
}

// check says what is wrong with the pipeline itself.
func (p *Pipeline) check() error {
	form := taskspec.Pipeline{Name: p.Name, Description: p.Description}
	rules := templateRules()
	for i := range p.Stages {
		s := &p.Stages[i]
		if s.Spec == nil {
			return fmt.Errorf("stage %d: it has no spec", i+1)
		}
		stage := taskspec.PipelineStage{Name: s.Name, Task: s.Spec.Name}
		form.Stages = append(form.Stages, stage)
		err := s.Spec.ValidateFor(rules)
		if problems := s.Spec.StageProblems(); err == nil && len(problems) > 0 {
			err = &taskspec.ValidationError{Problems: problems}
		}
		if err == nil && s.Input != nil && s.Spec.IO.Inputs["inbox"] != "" {
			err = fmt.Errorf("%w: %s", ErrInputFromQueue, s.Spec.IO.Inputs["inbox"])
		}
		if err != nil {
			return fmt.Errorf("stage %s: %w", stage.StageName(), err)
		}
	}
	return form.Validate()
}

// plan is the pipeline as it is asked for.
func (p *Pipeline) plan() (*ledger.Plan, error) {
	plan := new(ledger.Plan)
	for _, s := range p.Stages {
		spec := *s.Spec
		if s.Name != "" {
			spec.Name = s.Name
		}
		template, err := json.Marshal(&spec)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", spec.Name, err)
		}
		stage := ledger.Stage{Name: spec.Name, Spec: template}
		if s.Input != nil {
			item, err := itemText(s.Input, spec.Type)
			if err != nil {
				return nil, fmt.Errorf("input of stage %s: %w", spec.Name, err)
			}
			stage.Input = &item
		}
		plan.Stages = append(plan.Stages, stage)
	}
	return plan, nil
}

// itemText is the work item that a value is for such work: text, or JSON.
func itemText(v any, kind taskspec.Kind) (string, error) {
	text, isText := v.(string)
	switch {
	case isText && utf8.ValidString(text):
		return text, nil
	case isText && kind == taskspec.KindCommand:
		return stdinItem([]byte(text))
	case isText:
		return "", broker.ErrBody
	}
	body, err := json.Marshal(v)
	return string(body), err
}

// preparePipeline is [prepare] for a pipeline.
func preparePipeline(ctx context.Context, p *Project, pl *Pipeline, o SubmitOptions) (l ledger.Submission, err error) {
	if err := pl.check(); err != nil {
		return l, err
	}
	plan, err := pl.plan()
	if err != nil {
		return l, err
	}
	if l, err = o.submission(ctx, p, pl.Stages[0].Spec); err != nil {
		return l, err
	}
	var names []string
	commands := false
	for i, stage := range pl.Stages {
		item, known := l.Item, i == 0
		if own := plan.Stages[i].Input; own != nil && (i > 0 || l.Item == noInput && l.Input == "") {
			item, known = *own, true
		}
		if err := checkCall(ctx, p, stage.Spec, item, known); err != nil {
			return l, fmt.Errorf("stage %s: %w", plan.Stages[i].Name, err)
		}
		names = append(names, stage.Spec.EnvFrom...)
		commands = commands || stage.Spec.Type == taskspec.KindCommand
	}
	env := o.environ(p)
	if !commands {
		env = named(env, names)
	}
	l.Env = snapshotOf(env)
	l.Spec = &taskspec.Spec{Name: pl.Name, Work: taskspec.Work{Key: pl.Key, Delay: pl.Delay}}
	l.Plan = plan
	return l, nil
}

// errPipeline is returned when a pipeline is treated like any task.
var errPipeline = errors.New("it is a pipeline")

// pipelineOutput is [Task.Output] for a pipeline.
func pipelineOutput(ctx context.Context, t *Task, stdout, stderr io.Writer) (*TaskStatus, error) {
	for i := 0; ; i++ {
		stage, last, err := awaitStage(ctx, t, i)
		if err != nil {
			return nil, err
		}
		if stage == nil {
			break
		}
		if err := stageOutput(last, stdout, func(out io.Writer) error {
			_, err := stage.Output(ctx, out, stderr)
			return err
		}); err != nil {
			s, _ := t.Status(context.WithoutCancel(ctx))
			return s, err
		}
	}
	return t.Wait(ctx)
}

// pipelineOutputSoFar is [Task.OutputSoFar] for a pipeline.
func pipelineOutputSoFar(ctx context.Context, t *Task, l *ledger.Task, stdout, stderr io.Writer) error {
	if l.Plan == nil {
		return nil
	}
	for i, s := range l.Plan.Stages {
		if s.TID == "" {
			break
		}
		stage := &Task{project: t.project, tid: s.TID}
		if err := stageOutput(i == len(l.Plan.Stages)-1, stdout, func(out io.Writer) error {
			_, err := stage.OutputSoFar(ctx, out, stderr)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// stageOutput lets a stage write its output. That of all but the last is the input
// of the next one; then it does not matter whether it is still there.
func stageOutput(last bool, stdout io.Writer, write func(stdout io.Writer) error) error {
	if last {
		return write(stdout)
	}
	if err := write(nil); err != nil && !errors.Is(err, ErrResultConsumed) {
		return err
	}
	return nil
}

// awaitStage waits until the stage with this index has begun, and returns it and
// whether it is the last one. It returns nil if the pipeline has ended before.
func awaitStage(ctx context.Context, t *Task, index int) (stage *Task, last bool, err error) {
	_, err = awaitTask(ctx, t, func(l *ledger.Task) error {
		if l.Plan == nil || index >= len(l.Plan.Stages) || l.Plan.Stages[index].TID == "" {
			return nil
		}
		stage, last = &Task{project: t.project, tid: l.Plan.Stages[index].TID}, index == len(l.Plan.Stages)-1
		return errFound
	})
	return stage, last, err
}

// working is the task that is paused, or resumed, in place of t:
// itself, or the stage that a pipeline has come to.
func working(ctx context.Context, t *Task) (*Task, error) {
	l, err := loadTask(ctx, t)
	if err != nil || l.Kind() != ledger.Pipeline {
		return t, err
	}
	if l.Status != taskspec.StatusRunning {
		return nil, fmt.Errorf("%w: it is %s", ErrNotRunning, l.Status)
	}
	return &Task{project: t.project, tid: l.Plan.Current().TID}, nil
}
