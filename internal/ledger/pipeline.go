package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// A Plan holds the stages of a pipeline, which run one after the other, each as a task of
// its own. It is part of the pipeline's record.
type Plan struct {
	Stages []Stage `json:"stages"`
}

// A Stage is one of them, with the state of its task once that has been submitted.
type Stage struct {
	Name string          `json:"name"`
	Spec json.RawMessage `json:"taskspec"` // a template
	// Input is its work item, instead of the output of the stage before it; nil if there is
	// none.
	Input *string `json:"input,omitempty"`

	TID    string          `json:"tid,omitempty"`
	Status taskspec.Status `json:"status,omitempty"` // created until it ends
	Epoch  int             `json:"epoch,omitempty"`  // of its last attempt
}

// Started returns how many stages have been submitted.
func (p *Plan) Started() int {
	if p == nil {
		return 0
	}
	if i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.TID == "" }); i >= 0 {
		return i
	}
	return len(p.Stages)
}

// Current returns the current stage of the pipeline, nil if it has not started.
func (p *Plan) Current() *Stage {
	if n := p.Started(); n > 0 {
		return &p.Stages[n-1]
	}
	return nil
}

// decode decodes the template of the stage.
func (s *Stage) decode() (*taskspec.Spec, error) {
	spec := new(taskspec.Spec)
	if err := json.Unmarshal(s.Spec, spec); err != nil {
		return nil, fmt.Errorf("decode stage %s: %w", s.Name, err)
	}
	return spec, nil
}

// decodePlan decodes the pipeline of a request, which may be written by hand. Of the spec
// only the name is used.
func decodePlan(raw json.RawMessage, rules taskspec.Rules) (*taskspec.Spec, *Plan, error) {
	var p pipelineRequest
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, nil, fmt.Errorf("invalid pipeline: %w", err)
	}
	form := taskspec.Pipeline{Name: p.Name}
	for i := range p.Stages {
		s := &p.Stages[i]
		spec, err := taskspec.DecodeValid(s.Spec, rules)
		if err != nil {
			return nil, nil, fmt.Errorf("invalid pipeline: stages[%d].taskspec: %w", i, err)
		}
		if problems := spec.StageProblems(); len(problems) > 0 {
			return nil, nil, fmt.Errorf("invalid pipeline: stages[%d].taskspec: %w", i, &taskspec.ValidationError{Problems: problems})
		}
		// It has not started, whatever the request says.
		*s = Stage{Name: cmp.Or(s.Name, spec.Name), Spec: s.Spec, Input: s.Input}
		form.Stages = append(form.Stages, taskspec.PipelineStage{Name: s.Name, Task: spec.Name})
	}
	if err := form.Validate(); err != nil {
		return nil, nil, fmt.Errorf("invalid pipeline: %w", err)
	}
	return &taskspec.Spec{Name: p.Name}, &p.Plan, nil
}

// startPipeline starts a pipeline: its record gets the state "running", and its first stage
// is submitted.
func startPipeline(tx *broker.Tx, j *Job, now time.Time) error {
	t, err := j.claim(tx, now)
	if t == nil || err != nil {
		return err
	}
	at := now.UnixNano()
	// the transaction may run again
	t.Pipeline, t.Plan, t.Epoch = true, &Plan{slices.Clone(j.plan.Stages)}, j.Epoch
	t.Status = taskspec.StatusSpawning
	if err := t.log(tx, eventSpawning, at, Event{}); err != nil {
		return err
	}
	t.Status, t.Started = taskspec.StatusRunning, at
	if err := t.log(tx, eventStarted, at, Event{}); err != nil {
		return err
	}
	first := stageInput{item: j.item, input: j.Input}
	if own := t.Plan.Stages[0].Input; own != nil && first == (stageInput{item: noItem}) {
		first.item = *own
	}
	return submitStage(tx, t, 0, first, at)
}

// A stageInput is the input of a stage: a work item, or the name of an [InputFile].
type stageInput struct{ item, input string }

// submitStage submits the stage of a pipeline with this index. If that is not possible, the
// pipeline has ended.
func submitStage(tx *broker.Tx, t *Task, index int, p stageInput, at int64) error {
	stage := &t.Plan.Stages[index]
	spec, err := stage.decode()
	if err != nil {
		return err
	}
	s := Submission{
		Spec: spec, Item: p.item, Input: p.input, Dir: string(t.Dir), Parent: t.TID, Redact: t.Redact,
		pipeline: t, stage: index + 1,
	}
	created, err := s.create(tx, stage.Spec, t.Env, time.Unix(0, at))
	if errors.Is(err, broker.ErrTooLarge) {
		o := taskspec.Rejected("its input does not fit a message").InStage(stage.Name)
		return t.conclude(tx, o, at, Event{})
	}
	if err != nil {
		return err
	}
	stage.TID, stage.Status = created.TID, taskspec.StatusCreated
	tx.Notify(OutboxOf(t.TID))
	return t.save(tx)
}

// pipelineOf returns the pipeline that t is a stage of, nil if there is none or it has
// ended.
func pipelineOf(tx *broker.Tx, t *Task) (*Task, error) {
	if t.Stage == 0 {
		return nil, nil
	}
	p, err := load(tx, t.Parent)
	if unreadable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if p.Plan == nil || p.Status != taskspec.StatusRunning || t.Stage > len(p.Plan.Stages) || p.Plan.Stages[t.Stage-1].TID != t.TID {
		return nil, nil
	}
	return p, nil
}

// pass makes the result of the stage t the input of the next one. It returns false if the
// result goes where that of any task goes: the next stage has an input of its own, or there
// will be none.
func pass(tx *broker.Tx, t *Task, h *HandOff, body string) (bool, error) {
	if t.Stage == 0 || t.Last || h.Outcome.Status != taskspec.StatusCompleted {
		return false, nil
	}
	p, err := pipelineOf(tx, t)
	if p == nil || err != nil || p.Ordered != "" {
		return false, err
	}
	next := &p.Plan.Stages[t.Stage]
	spec, err := next.decode()
	if err != nil || next.Input != nil || spec.IO.Inputs[inboxName] != "" {
		return false, err
	}
	from, err := t.Work()
	if err != nil {
		return false, err
	}
	t.nextInput = &stageInput{item: body}
	isFile := h.Output.Form == FormFile
	if isFile {
		t.nextInput.input = outputName(t.TID, t.Epoch, Stdout)
	}
	switch {
	case spec.Type == taskspec.KindCommand && isFile:
		t.nextInput.item = noItem
	case spec.Type == taskspec.KindCommand:
		t.nextInput.item = itemOf(body, from.Type)
	case isFile: // a function gets its path
		t.nextInput.item, err = h.message(filepath.Join(string(t.Root), Dir))
	case from.Type == taskspec.KindFunction && body == nothing:
		t.nextInput.item = noItem
	}
	return t.Out == "", err
}

// nothing is the value, in JSON, of a function that returns none.
const nothing = "null"

// itemOf returns the work item for a command from the output of a stage of the given kind:
// the output of a command becomes its standard input, byte for byte, and so does a string
// value; any other value of a function is used as a work item in JSON.
func itemOf(body string, from taskspec.Kind) string {
	var text string
	switch {
	case body == "":
		return noItem
	case from == taskspec.KindCommand:
		text = body
	case body == nothing:
		return noItem
	case json.Unmarshal([]byte(body), &text) != nil:
		return body
	}
	item, _ := json.Marshal(map[string]string{"stdin": text}) // cannot fail for text
	return string(item)
}

// advance moves the pipeline on whose stage t has ended with o to the next stage, or to its
// end.
func advance(tx *broker.Tx, t *Task, o taskspec.Outcome, at int64) error {
	p, err := pipelineOf(tx, t)
	if p == nil || err != nil {
		return err
	}
	stage := &p.Plan.Stages[t.Stage-1]
	stage.Status, stage.Epoch = o.Status, t.Epoch
	p.Usage = p.Usage.plus(t.Usage)
	switch {
	case o.Status != taskspec.StatusCompleted:
		p.Output = Output{Stderr: t.Output.Stderr, StderrSize: t.Output.StderrSize}
		return p.conclude(tx, o.InStage(stage.Name), at, Event{})
	case t.Last:
		p.Result, p.Output, p.Out = t.Result, t.Output, t.Out
		return p.conclude(tx, o, at, Event{Bytes: &p.Output.Size, Usage: &p.Usage})
	case p.Ordered != "":
		return p.conclude(tx, ordered(p.Ordered), at, Event{})
	}
	next := stageInput{item: noItem}
	if own := p.Plan.Stages[t.Stage].Input; own != nil {
		next.item = *own
	} else if t.nextInput != nil {
		next = *t.nextInput
	}
	return submitStage(tx, p, t.Stage, next, at)
}

// plus returns the usage of two tasks that ran one after the other.
func (u Usage) plus(v Usage) Usage {
	return Usage{
		CPUSeconds:      u.CPUSeconds + v.CPUSeconds,
		PeakMemoryMB:    max(u.PeakMemoryMB, v.PeakMemoryMB),
		PeakCPUPercent:  max(u.PeakCPUPercent, v.PeakCPUPercent),
		PeakFDs:         max(u.PeakFDs, v.PeakFDs),
		PeakConnections: max(u.PeakConnections, v.PeakConnections),
	}
}

// endPipeline asks for the end of a running pipeline, through its current stage.
func endPipeline(tx *broker.Tx, p *Task, c Command, now time.Time) error {
	if c.ends() {
		p.order(c)
	}
	if err := p.log(tx, eventControl(c), now.UnixNano(), Event{}); err != nil {
		return err
	}
	if err := p.save(tx); err != nil {
		return err
	}
	_, err := End(tx, p.Plan.Current().TID, c, now)
	if unreadable(err) && c.ends() { // when the stage ends is unknown
		return p.conclude(tx, ordered(c), now.UnixNano(), Event{})
	}
	return err
}

// ordered returns the outcome of a task that this order ended before it started, or of a
// pipeline between two stages.
func ordered(c Command) taskspec.Outcome {
	if c == CommandKill {
		return taskspec.Killed()
	}
	return taskspec.Stopped()
}

// ReadPipelineControl applies the control messages of a pipeline, which has no consumer. It
// returns false if the pipeline does not run any more.
func ReadPipelineControl(tx *broker.Tx, tid string, now time.Time) (runs bool, err error) {
	q := PipelineQueues(tid)
	ms, err := takeControls(tx, q.ControlIn)
	if err == nil && len(ms) > 0 {
		err = trimReplies(tx, q.ControlOut)
	}
	if err != nil {
		return false, err
	}
	err = answerControls(tx, ms, tid, q.ControlOut, now, func(c Command, a *reply) error {
		t, err := load(tx, tid) // the previous message may have ended it
		switch {
		case err != nil:
			return err
		case t.Status != taskspec.StatusRunning:
			a.Status = statusUnknown
		case c.ends():
			t.by = a.by
			return endPipeline(tx, t, c, now)
		case c.holds(), c.signals():
			_, err = tx.Write(QueuesOf(t.Plan.Current().TID).ControlIn, string(c))
		case c == CommandStatus:
			a.TaskStatus, a.ShouldStop = string(t.Status), new(t.Ordered != "")
			a.Activity, a.Metrics = "stage "+t.Plan.Current().Name, &t.Usage
		}
		return err
	})
	var t *Task
	if err == nil {
		t, err = load(tx, tid)
	}
	if unreadable(err) {
		return false, nil
	}
	return err == nil && t.Status == taskspec.StatusRunning, err
}

// resume continues a pipeline that has not completed at its current stage, with the same
// input.
func resume(tx *broker.Tx, t *Task, now time.Time) error {
	stage := t.Plan.Current()
	switch {
	case t.Status == taskspec.StatusCompleted:
		return fmt.Errorf("%w: the pipeline completed; submit it again", ErrNoRetry)
	case stage == nil || stage.Status == taskspec.StatusCompleted:
		return fmt.Errorf("%w: it ended between two stages; submit it again", ErrNoRetry)
	case slices.ContainsFunc(t.Plan.Stages, func(s Stage) bool { return wasHidden(string(s.Spec)) }):
		return fmt.Errorf("%w: something of it was hidden in the dump it came from", ErrNoRetry)
	}
	ended, plan := *t, *t.Plan
	*t = resetForRetry(t)
	t.Plan, t.Epoch = &plan, ended.Epoch+1
	t.Status, t.Started, t.Usage = taskspec.StatusRunning, now.UnixNano(), ended.Usage
	for _, event := range []string{eventRetried, eventStarted} {
		if err := t.log(tx, event, now.UnixNano(), Event{}); err != nil {
			return err
		}
	}
	stage.Status = taskspec.StatusCreated
	if err := t.save(tx); err != nil {
		return err
	}
	of, err := load(tx, stage.TID)
	if err == nil {
		err = taskspec.Retry(of.Status)
	}
	if err == nil {
		err = retryTask(tx, of, now)
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("%w: its stage is gone; submit it again", ErrNoRetry)
	}
	if err != nil {
		return fmt.Errorf("stage %s: %w", stage.Name, err)
	}
	tx.Notify(PipelineQueues(t.TID).ControlIn) // the manager subscribes again
	return nil
}

// A PipelineView is the state of a pipeline, as its status queue and weft.state.pipelines
// show it.
type PipelineView struct {
	TID    string          `json:"tid"`
	Name   string          `json:"name"`
	Status taskspec.Status `json:"status"`
	Stage  string          `json:"current_stage,omitempty"`
	Error  string          `json:"error,omitempty"`
	Stages []StageView     `json:"stages"`
}

// A StageView is the state of a stage; it has no TID and no status before it starts.
type StageView struct {
	Name   string          `json:"name"`
	TID    string          `json:"tid,omitempty"`
	Status taskspec.Status `json:"status,omitempty"`
}

// showPipeline returns the view of a pipeline.
func showPipeline(r broker.Reader, t *Task) (string, error) {
	v := PipelineView{TID: t.TID, Name: t.Name, Status: t.Status, Error: t.Error, Stages: []StageView{}}
	stages, err := StagesOf(r, t)
	if err != nil {
		return "", err
	}
	for i, s := range stages {
		view := StageView{Name: t.Plan.Stages[i].Name}
		if s != nil {
			view.TID, view.Status = s.TID, s.Status
		}
		v.Stages = append(v.Stages, view)
	}
	if current := t.Plan.Current(); current != nil && !t.Status.Terminal() {
		v.Stage = current.Name
	}
	body, err := json.Marshal(v)
	return string(body), err
}

// StagesOf returns the tasks of the pipeline's stages, in order: nil for a stage that has
// not started. If the record of one is gone, or damaged, only name, id and status are
// known.
func StagesOf(r broker.Reader, t *Task) (all []*Task, err error) {
	if t.Plan == nil {
		return nil, nil
	}
	for _, s := range t.Plan.Stages {
		if s.TID == "" {
			all = append(all, nil)
			continue
		}
		stage, err := tasks.get(r, s.TID)
		if unreadable(err) {
			stage, err = &Task{TID: s.TID, Name: s.Name, Status: s.Status, Parent: t.TID, Epoch: s.Epoch}, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, stage)
	}
	return all, nil
}
