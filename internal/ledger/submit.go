package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// MaxDepth bounds the depth of tasks that submit tasks.
const MaxDepth = 32

// ErrDepth is returned for a task submitted more than [MaxDepth] deep.
var ErrDepth = fmt.Errorf("tasks are nested more than %d deep", MaxDepth)

// Submission is what a client submits. Its spec is a valid template.
type Submission struct {
	Spec  *taskspec.Spec
	Item  string // the first message of the inbox, unless the spec names another
	Input string // the name of an [InputFile], if there is one
	// InputSum is a hash of that file; it is used if the spec has a key.
	InputSum string
	Dir      string   // the submitter's directory
	Env      string   // the submitter's environment, packed by [EncodeEnv]
	Parent   string   // the TID of the task that submits, if one does
	Redact   []string // paths into the spec that history must not show
	Service  string   // the service of which it is an instance, or empty

	// Batch is the id of the batch that it belongs to, empty for none, and Line its place in
	// the input of the batch, counted from 1. All that are submitted together are of one.
	Batch string
	Line  int
	// Limit is how many tasks of the batch may run at once; 0 is no limit. It goes with no
	// concurrency key of the spec.
	Limit int

	// Plan makes it a pipeline, of whose spec only name, key and delay are used.
	Plan *Plan

	pipeline *Task // of which it is a stage
	stage    int   // which one, counted from 1
}

// Accepted is the result of a submission.
type Accepted struct {
	TID string
	// Existing: no task was made, because this one holds the key. Other: it was submitted
	// with something else. Ended: it has ended. Removed: it has ended, and is not known any
	// more.
	Existing, Other, Ended, Removed bool
}

// Submit submits a task and returns its TID. The second result is false if no manager will
// see the request, because the last one has left: the caller then starts one.
func Submit(tx *broker.Tx, s Submission, now time.Time) (tid string, managed bool, err error) {
	accepted, managed, err := SubmitAll(tx, []Submission{s}, now)
	if err != nil {
		return "", false, err
	}
	return accepted[0].TID, managed, nil
}

// SubmitAll is [Submit] for many tasks; the results are in the order of all, and the ids
// rise. If a task holds the key of a submission already, no other is made.
func SubmitAll(tx *broker.Tx, all []Submission, now time.Time) (accepted []Accepted, managed bool, err error) {
	var env, key string     // of the previous submission, which mostly has the same
	var begun []Concurrency // the keys of what begins to wait, each once
	for _, s := range all {
		spec, err := s.encode()
		if err != nil {
			return nil, false, err
		}
		held, digest, err := s.held(tx, spec)
		if err != nil {
			return nil, false, err
		}
		if held != nil {
			accepted = append(accepted, *held)
			continue
		}
		t, err := s.writeRequest(tx, spec, now)
		if err != nil {
			return nil, false, err
		}
		if s.needsEnv() && (key == "" || s.Env != env) {
			if key, err = keepEnv(tx, s.Env, t.Number()); err != nil {
				return nil, false, err
			}
			env = s.Env
		}
		if !s.needsEnv() {
			key = ""
		}
		if err := initialize(tx, t, key); err != nil {
			return nil, false, err
		}
		if t.Key != "" {
			if err := holdKey(tx, t, digest); err != nil {
				return nil, false, err
			}
		}
		if t.Concurrency.Key != "" && !slices.Contains(begun, t.Concurrency) {
			begun = append(begun, t.Concurrency)
		}
		accepted = append(accepted, Accepted{TID: t.TID})
	}
	if len(all) > 0 && all[0].Batch != "" {
		if err := extendBatch(tx, all[0].Batch, accepted); err != nil {
			return nil, false, err
		}
	}
	for _, c := range begun {
		if err := c.submitted(tx); err != nil {
			return nil, false, err
		}
	}
	managed, err = Managed(tx)
	return accepted, managed, err
}

// encode returns the spec in JSON, or the stages of a pipeline.
func (s Submission) encode() (json.RawMessage, error) {
	if s.Plan == nil {
		return encodeSpec(s.Spec)
	}
	text, err := json.Marshal(s.Plan.Stages)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	return text, nil
}

func encodeSpec(s *taskspec.Spec) (json.RawMessage, error) {
	text, err := s.MarshalJSON() // json.Marshal would parse it again
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	return text, nil
}

// held returns the task that holds the key of the spec, if there is one, and the digests of
// the submission. spec is the spec in JSON.
func (s Submission) held(tx *broker.Tx, spec []byte) (a *Accepted, k keyRecord, err error) {
	name := s.Spec.Key
	if name == "" {
		return nil, k, nil
	}
	k = s.digests(spec)
	t, known, err := holder(tx, name)
	if t == nil && known.Removed && err == nil {
		return &Accepted{TID: known.TID, Existing: true, Other: known.differs(k), Ended: true, Removed: true}, k, nil
	}
	if t == nil || err != nil {
		return nil, k, err
	}
	return &Accepted{TID: t.TID, Existing: true, Other: known.differs(k), Ended: t.Status.Terminal()}, k, nil
}

// needsEnv reports whether the environment must be stored for the task. A function gets
// that of its program, and the variables of its submitter's that its spec names.
func (s Submission) needsEnv() bool { return s.Env != "" || s.Spec.Type != taskspec.KindFunction }

// create submits one task, with an environment that is stored already under this key. spec
// is its spec in JSON.
func (s Submission) create(tx *broker.Tx, spec json.RawMessage, env string, now time.Time) (*Task, error) {
	t, err := s.writeRequest(tx, spec, now)
	if err != nil {
		return nil, err
	}
	if err := initialize(tx, t, env); err != nil || t.Concurrency.Key == "" {
		return t, err
	}
	return t, t.Concurrency.submitted(tx)
}

// initialize writes the first record of a task, and its first event.
func initialize(tx *broker.Tx, t *Task, env string) error {
	t.Env = env
	if err := t.log(tx, eventInitialized, t.Created, Event{ParentTID: t.Parent}); err != nil {
		return err
	}
	return t.save(tx)
}

// task returns the task of the submission, without its id.
func (s Submission) task(tx *broker.Tx, now time.Time) (t *Task, err error) {
	t = &Task{
		Name:        s.Spec.Name,
		Status:      taskspec.StatusCreated,
		Dir:         taskspec.RawString(s.Dir),
		Input:       s.Input,
		Parent:      s.Parent,
		Redact:      s.Redact,
		Key:         s.Spec.Key,
		Concurrency: s.concurrency(),
		Batch:       s.Batch,
		Line:        s.Line,
		Tags:        s.Spec.Tags(),
		Created:     now.UnixNano(),
		Service:     s.Service,
		decoded:     &s.Spec.Work,
		// A parent holds a slot while it waits for its children; a task that waits for a
		// person, and a service, would hold one for ever.
		Slotless: s.Parent != "" || s.Service != "" || s.Plan != nil || s.Spec.Slotless(),
		Pipeline: s.Plan != nil,
	}
	t.setKind(&s.Spec.Work)
	switch {
	case s.pipeline != nil:
		// Its parent holds no slot, but the task that waits for the pipeline may; and the
		// task of a service may run for ever.
		t.Slotless = s.pipeline.Parent != "" || s.pipeline.Service != "" || s.Spec.Slotless()
		t.Depth, t.Stage, t.Last = s.pipeline.Depth, s.stage, s.stage == len(s.pipeline.Plan.Stages)
	case s.Parent != "":
		t.Depth, err = depthBelow(tx, s.Parent)
	}
	return t, err
}

// concurrency returns the concurrency key of the task: that of its spec, or of its batch.
func (s Submission) concurrency() Concurrency {
	if s.Limit > 0 {
		return Concurrency{Key: "batch:" + s.Batch, Limit: s.Limit}
	}
	return concurrencyOf(&s.Spec.Work)
}

// writeRequest writes the request for one task. spec is its spec in JSON, or the stages of
// the pipeline.
func (s Submission) writeRequest(tx *broker.Tx, spec json.RawMessage, now time.Time) (*Task, error) {
	t, err := s.task(tx, now)
	if err != nil {
		return nil, err
	}
	bindQueues(t, s.Spec)
	var item json.RawMessage // none if it comes from a queue
	if t.In == "" {
		if item, err = json.Marshal(s.Item); err != nil {
			return nil, fmt.Errorf("encode work item: %w", err)
		}
	}
	r := request{Spec: spec, Item: item}
	if s.Plan != nil {
		r = request{Pipeline: &pipelineRequest{s.Spec.Name, *s.Plan}, Item: item}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	wait := s.Spec.Delay
	if wait > 0 {
		t.NotBefore = now.Add(wait).UnixNano()
	}
	id, err := tx.Write(t.requests(), string(body))
	if err != nil {
		return nil, err
	}
	t.TID = id.String()
	return t, t.index(tx, wait)
}

// depthBelow returns the depth of a task submitted by parent. A parent that is not known
// any more counts as the first.
func depthBelow(tx *broker.Tx, parent string) (int, error) {
	p, err := load(tx, parent)
	if errors.Is(err, broker.ErrNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	if p.Depth >= MaxDepth {
		return 0, ErrDepth
	}
	return p.Depth + 1, nil
}
