package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/proc"
)

// Begun is a task that was given out when it was submitted.
type Begun struct {
	Job  *Job
	Task *Task
}

// SubmitHere is [Submit] for a task that calls a function inside the program
// which submits it and serves it: it is asked for, given out and begun in one
// transaction, as if the request had been taken in the moment it came. The result
// is nil if the key of the task is held, or it cannot run: then nothing was
// changed, and the task is for [SubmitAll]. root is the project's.
//
// Nothing runs before this has been committed.
func SubmitHere(tx *broker.Tx, s Submission, root string, by proc.Identity, now time.Time) (*Begun, error) {
	digest := ""
	if s.Spec.Spec.Key != "" {
		spec, err := json.Marshal(s.Spec)
		if err != nil {
			return nil, fmt.Errorf("encode spec: %w", err)
		}
		var held *Accepted
		if held, digest, err = s.held(tx, spec); held != nil || err != nil {
			return nil, err
		}
	}
	t, err := s.task(tx, now)
	if err != nil {
		return nil, err
	}
	id, err := tx.NewID()
	if err != nil {
		return nil, err
	}
	t.TID = id.String()
	wire(t, s.Spec)
	j := s.job(t, root)
	if j.refused != "" {
		return nil, nil
	}
	if s.needsEnv() {
		if t.Env, err = keepEnv(tx, s.Env, id); err != nil {
			return nil, err
		}
	}
	if err := t.log(tx, eventInitialized, t.Created, func(e *Event) { e.ParentTID = t.Parent }); err != nil {
		return nil, err
	}
	j.describe(t)
	if err := j.give(tx, t, by, now); err != nil {
		return nil, err
	}
	if t.Key != "" {
		err = holdKey(tx, t, digest)
	}
	return &Begun{j, t}, err
}

// job is the call of a function, made ready at once. What [Prepare] would read of
// its request is known.
func (s Submission) job(t *Task, root string) *Job {
	name := s.Spec.Spec.FunctionTarget
	j := &Job{
		TID: t.TID, Name: t.Name, Epoch: 1, Input: t.Input, Dir: t.Dir, Nested: t.Slotless,
		Function: &Function{Description: function.Description{Name: name}},
		out:      t.Out,
		task:     t,
		item:     s.Item,
	}
	if j.refused = j.resolve(s.Spec, root); j.refused != "" {
		return j
	}
	if len(j.Work.EnvFrom) > 0 {
		lend(j, s.Env)
	}
	if len(j.Work.Env)+len(t.Redact) > 0 {
		// History is made of it, and an argument may be a value that the submitter
		// goes on to change.
		j.resolved = nil
	}
	return j
}
