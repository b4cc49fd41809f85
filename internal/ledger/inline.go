package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/proc"
)

// A Prepared is a prepared submission of a task that calls a function inside the program
// that submits and serves it. Everything that does not need the id is done before the
// transaction, because others wait for that.
type Prepared struct {
	submission  Submission
	text        json.RawMessage // of its spec, if that has a key
	job         *Job            // of its spec, with placeholder as its id
	spec        json.RawMessage // the resolved spec, likewise
	placeholder string          // as long as an id, and not part of the spec
}

// Prepare prepares the submission. The result is nil if the task cannot run, which
// [SubmitAll] records. root is the project's.
func (s Submission) Prepare(root string) (*Prepared, error) {
	d := &Prepared{submission: s, placeholder: fmt.Sprintf("99%017d", rand.N(int64(1e17)))} // greater than any id
	if s.Spec.Key != "" {
		var err error
		if d.text, err = s.encode(); err != nil {
			return nil, err
		}
	}
	name := s.Spec.FunctionTarget
	d.job = &Job{
		TID: d.placeholder, Name: s.Spec.Name, Epoch: 1, Input: s.Input, Dir: s.Dir,
		Function: &Function{Description: function.Description{Name: name}},
		item:     s.Item,
	}
	if d.job.refused = d.job.resolve(s.Spec, root); d.job.refused != "" {
		return nil, nil
	}
	d.spec = d.job.Spec
	return d, nil
}

// Started is a task that was dispatched when it was submitted.
type Started struct {
	Job  *Job
	Task *Task
}

// Start is [Submit] for a prepared submission: it submits, dispatches and starts the task
// in one transaction. The result is nil if another task holds its key: then nothing was
// changed, and the submission is for [SubmitAll].
//
// Nothing may run before this has been committed.
func (d *Prepared) Start(tx *broker.Tx, by proc.Identity, now time.Time) (*Started, error) {
	s := d.submission
	held, digest, err := s.held(tx, d.text)
	if held != nil || err != nil {
		return nil, err
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
	bindQueues(t, s.Spec)
	j := d.withID(t)
	if err := t.log(tx, eventInitialized, t.Created, Event{ParentTID: t.Parent}); err != nil {
		return nil, err
	}
	j.describe(t)
	if err := j.start(tx, t, by, now); err != nil {
		return nil, err
	}
	if t.Key != "" {
		err = holdKey(tx, t, digest)
	}
	return &Started{j, t}, err
}

// withID returns the job with the id of the task. The transaction may run again, so it
// resets everything it sets.
func (d *Prepared) withID(t *Task) *Job {
	j := d.job
	j.TID, j.Nested, j.out, j.task = t.TID, t.Slotless, t.Out, t
	j.controlIn, j.controlOut = t.ControlIn, t.ControlOut
	j.Spec = bytes.ReplaceAll(d.spec, []byte(d.placeholder), []byte(t.TID))
	return j
}
