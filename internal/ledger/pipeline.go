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

// A Plan is what a pipeline does: a stage after the other, each of them a task of
// its own. It belongs to the pipeline's record.
type Plan struct {
	Stages []Stage `json:"stages"`
}

// A Stage is one of them, and how its task stands once it has been asked for.
type Stage struct {
	Name string          `json:"name"`
	Spec json.RawMessage `json:"taskspec"` // a template
	// Input is its work item, instead of what the stage before it has written; nil
	// if there is none.
	Input *string `json:"input,omitempty"`

	TID    string          `json:"tid,omitempty"`
	Status taskspec.Status `json:"status,omitempty"` // created until it ends
	Epoch  int             `json:"epoch,omitempty"`  // of its last attempt
}

// Started counts the stages that have been asked for.
func (p *Plan) Started() int {
	if p == nil {
		return 0
	}
	if i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.TID == "" }); i >= 0 {
		return i
	}
	return len(p.Stages)
}

// Current is the stage that the pipeline has come to, nil if it has not begun.
func (p *Plan) Current() *Stage {
	if n := p.Started(); n > 0 {
		return &p.Stages[n-1]
	}
	return nil
}

// decode reads the template of the stage.
func (s *Stage) decode() (*taskspec.Spec, error) {
	spec := new(taskspec.Spec)
	if err := json.Unmarshal(s.Spec, spec); err != nil {
		return nil, fmt.Errorf("decode stage %s: %w", s.Name, err)
	}
	return spec, nil
}

// decodePlan reads what a request says of a pipeline, which anybody may have written.
// Of the spec only the name counts.
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
		// It has not begun, whatever the request says.
		*s = Stage{Name: cmp.Or(s.Name, spec.Name), Spec: s.Spec, Input: s.Input}
		form.Stages = append(form.Stages, taskspec.PipelineStage{Name: s.Name, Task: spec.Name})
	}
	if err := form.Validate(); err != nil {
		return nil, nil, fmt.Errorf("invalid pipeline: %w", err)
	}
	return &taskspec.Spec{Name: p.Name}, &p.Plan, nil
}

// begin begins a pipeline: its record says "running", and its first stage is asked
// for.
func begin(tx *broker.Tx, j *Job, now time.Time) error {
	t, err := j.claim(tx, now)
	if t == nil || err != nil {
		return err
	}
	at := now.UnixNano()
	// The transaction may run again.
	t.Pipeline, t.Plan, t.Epoch = true, &Plan{slices.Clone(j.plan.Stages)}, j.Epoch
	t.Status = taskspec.StatusSpawning
	if err := t.log(tx, eventSpawning, at, Event{}); err != nil {
		return err
	}
	t.Status, t.Started = taskspec.StatusRunning, at
	if err := t.log(tx, eventStarted, at, Event{}); err != nil {
		return err
	}
	first := passed{item: j.item, input: j.Input}
	if own := t.Plan.Stages[0].Input; own != nil && first == (passed{item: noItem}) {
		first.item = *own
	}
	return askStage(tx, t, 0, first, at)
}

// passed is what a stage gets to work on: a work item, or the name of an
// [InputFile].
type passed struct{ item, input string }

// askStage asks for the stage of a pipeline with this index. If that cannot be, the
// pipeline has ended.
func askStage(tx *broker.Tx, t *Task, index int, p passed, at int64) error {
	stage := &t.Plan.Stages[index]
	spec, err := stage.decode()
	if err != nil {
		return err
	}
	s := Submission{
		Spec: spec, Item: p.item, Input: p.input, Dir: string(t.Dir), Parent: t.TID, Redact: t.Redact,
		pipeline: t, stage: index + 1,
	}
	asked, err := s.create(tx, stage.Spec, t.Env, time.Unix(0, at))
	if errors.Is(err, broker.ErrTooLarge) {
		o := taskspec.Rejected("its input does not fit a message").InStage(stage.Name)
		return t.conclude(tx, o, at, Event{})
	}
	if err != nil {
		return err
	}
	stage.TID, stage.Status = asked.TID, taskspec.StatusCreated
	tx.Notify(OutboxOf(t.TID))
	return t.save(tx)
}

// pipelineOf is the pipeline that t is a stage of, nil if it is of none, or that
// one has ended.
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

// pass prepares that what the stage t has written, its result, becomes the input
// of the next one. It returns false if the result has to go where that of any task
// goes: the next stage has an input of its own, or there will be none.
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
	from, err := t.work()
	if err != nil {
		return false, err
	}
	t.passes = &passed{item: body}
	isFile := h.Output.Form == FormFile
	if isFile {
		t.passes.input = outputName(t.TID, t.Epoch, Stdout)
	}
	switch {
	case spec.Spec.Type == taskspec.KindCommand && isFile:
		t.passes.item = noItem
	case spec.Spec.Type == taskspec.KindCommand:
		t.passes.item = itemOf(body, from.Type)
	case isFile: // a function is told where it is
		t.passes.item, err = h.message(filepath.Join(from.WeftContext, Dir))
	case from.Type == taskspec.KindFunction && body == nothing:
		t.passes.item = noItem
	}
	return t.Out == "", err
}

// nothing is the value, in JSON, of a function that returns none.
const nothing = "null"

// itemOf is the work item for a command of what a stage of a kind has written:
// the output of a command is its standard input, byte for byte, and so is a value
// that is text; another value of a function is what a work item in JSON is.
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

// advance takes the pipeline on whose stage t has ended with o: to the next one,
// or to its end.
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
	next := passed{item: noItem}
	if own := p.Plan.Stages[t.Stage].Input; own != nil {
		next.item = *own
	} else if t.passes != nil {
		next = *t.passes
	}
	return askStage(tx, p, t.Stage, next, at)
}

// plus is what two tasks used that ran one after the other.
func (u Usage) plus(v Usage) Usage {
	return Usage{
		CPUSeconds:      u.CPUSeconds + v.CPUSeconds,
		PeakMemoryMB:    max(u.PeakMemoryMB, v.PeakMemoryMB),
		PeakCPUPercent:  max(u.PeakCPUPercent, v.PeakCPUPercent),
		PeakFDs:         max(u.PeakFDs, v.PeakFDs),
		PeakConnections: max(u.PeakConnections, v.PeakConnections),
	}
}

// endPipeline asks for the end of a pipeline that runs, through its stage.
func endPipeline(tx *broker.Tx, p *Task, c Command, now time.Time) error {
	if p.Ordered != CommandKill {
		p.Ordered = c
	}
	if err := p.log(tx, eventControl(c), now.UnixNano(), Event{}); err != nil {
		return err
	}
	if err := p.save(tx); err != nil {
		return err
	}
	_, err := End(tx, p.Plan.Current().TID, c, now)
	if unreadable(err) { // nobody can tell when it ends
		return p.conclude(tx, ordered(c), now.UnixNano(), Event{})
	}
	return err
}

// ordered is the end of a task that was ended by this order before it began, or of a
// pipeline between two stages.
func ordered(c Command) taskspec.Outcome {
	if c == CommandKill {
		return taskspec.Killed()
	}
	return taskspec.Stopped()
}

// ReadPipelineControl carries out the control messages of a pipeline: it has no consumer
// that would. It returns false if it does not run any more.
func ReadPipelineControl(tx *broker.Tx, tid string, now time.Time) (runs bool, err error) {
	q := PipelineQueues(tid)
	ms, err := tx.Messages(q.ControlIn, broker.Select{Limit: 1}) // cheaper than to take none
	if err == nil && len(ms) > 0 {
		ms, err = readControls(tx, q.ControlIn)
	}
	if err != nil {
		return false, err
	}
	for _, m := range ms {
		t, err := load(tx, tid) // the one before may have ended it
		if unreadable(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		c := ParseControl(m.Body)
		a := answer(c, tid, now)
		switch {
		case t.Status != taskspec.StatusRunning:
			a.Status = statusUnknown
		case c.Command == CommandStop || c.Command == CommandKill:
			err = endPipeline(tx, t, c.Command, now)
		case c.Command.holds():
			_, err = tx.Write(QueuesOf(t.Plan.Current().TID).ControlIn, string(c.Command))
		case c.Command == CommandStatus:
			a.TaskStatus, a.ShouldStop = string(t.Status), new(t.Ordered != "")
			a.Activity, a.Metrics = "stage "+t.Plan.Current().Name, &t.Usage
		}
		if err == nil {
			err = writeReply(tx, q.ControlOut, a)
		}
		if err != nil {
			return false, err
		}
	}
	if err := trimReplies(tx, q.ControlOut); err != nil {
		return false, err
	}
	t, err := load(tx, tid)
	if unreadable(err) {
		return false, nil
	}
	return err == nil && t.Status == taskspec.StatusRunning, err
}

// resume lets a pipeline that has not completed go on at the stage that has not,
// with the same input.
func resume(tx *broker.Tx, t *Task, now time.Time) (before *Task, managed bool, err error) {
	stage := t.Plan.Current()
	switch {
	case t.Status == taskspec.StatusCompleted:
		return nil, false, fmt.Errorf("%w: the pipeline completed; submit it again", ErrNoRetry)
	case stage == nil || stage.Status == taskspec.StatusCompleted:
		return nil, false, fmt.Errorf("%w: it ended between two stages; submit it again", ErrNoRetry)
	}
	for i := range t.Plan.Stages {
		if wasHidden(string(t.Plan.Stages[i].Spec)) {
			return nil, false, fmt.Errorf("%w: something of it was hidden in the dump it came from", ErrNoRetry)
		}
	}
	ended := *t
	plan := *t.Plan
	*t = resetForRetry(t)
	t.Plan, t.Epoch = &plan, ended.Epoch+1
	t.Status, t.Started, t.Usage = taskspec.StatusRunning, now.UnixNano(), ended.Usage
	if err := t.log(tx, eventRetried, now.UnixNano(), Event{}); err != nil {
		return nil, false, err
	}
	if err := t.log(tx, eventStarted, now.UnixNano(), Event{}); err != nil {
		return nil, false, err
	}
	stage.Status = taskspec.StatusCreated
	if err := t.save(tx); err != nil {
		return nil, false, err
	}
	_, managed, err = retryTask(tx, stage.TID, now)
	if errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("%w: its stage is gone; submit it again", ErrNoRetry)
	}
	if err != nil {
		return nil, false, fmt.Errorf("stage %s: %w", stage.Name, err)
	}
	tx.Notify(PipelineQueues(t.TID).ControlIn) // the manager listens again
	return &ended, managed, nil
}

// Pipelines are the pipelines that run.
func Pipelines(tx *broker.Tx) (tids []string, err error) {
	live, err := LiveTasks(tx)
	for _, t := range live {
		if t.Pipeline {
			tids = append(tids, t.TID)
		}
	}
	return tids, err
}

// A PipelineView is how a pipeline stands, as its status queue and
// weft.state.pipelines show it.
type PipelineView struct {
	TID    string          `json:"tid"`
	Name   string          `json:"name"`
	Status taskspec.Status `json:"status"`
	Stage  string          `json:"current_stage,omitempty"`
	Error  string          `json:"error,omitempty"`
	Stages []StageView     `json:"stages"`
}

// A StageView is how a stage stands; it has no TID and no status before it begins.
type StageView struct {
	Name   string          `json:"name"`
	TID    string          `json:"tid,omitempty"`
	Status taskspec.Status `json:"status,omitempty"`
}

// showPipeline is the view of a pipeline.
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

// StagesOf returns the tasks of the pipeline's stages, in order: nil for one that
// has not begun. Of one whose record is gone, or damaged, only name, id and status are known.
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
