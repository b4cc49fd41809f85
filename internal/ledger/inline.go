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

// A Prepared is a submission of a task that calls a function inside the program which
// submits it and serves it. All is ready that can be before it has an id: inside the
// transaction others wait.
type Prepared struct {
	submission  Submission
	text        json.RawMessage // of its spec, if that has a key
	job         *Job            // of its spec, with blank for its id
	spec        json.RawMessage // the resolved one, likewise
	placeholder string          // as long as an id, and nowhere in the spec
}

// Prepare makes the submission ready. The result is nil if the task cannot run, which is
// for [SubmitAll] to record. root is the project's.
func (s Submission) Prepare(root string) (*Prepared, error) {
	d := &Prepared{submission: s, placeholder: fmt.Sprintf("99%017d", rand.N(int64(1e17)))} // greater than any id
	if s.Spec.Spec.Key != "" {
		var err error
		if d.text, err = s.encode(); err != nil {
			return nil, err
		}
	}
	name := s.Spec.Spec.FunctionTarget
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

// Started is a task that was given out when it was submitted.
type Started struct {
	Job  *Job
	Task *Task
}

// Start is [Submit] for a draft, which is asked for, given out and begun in one
// transaction, as if the request had been taken in the moment it came. The result is
// nil if the key of the task is held: then nothing was changed, and the task is for
// [SubmitAll].
//
// Nothing runs before this has been committed.
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

// withID is the job as that of the task, which has its id. The transaction may run
// again: all that is set here is set anew then.
func (d *Prepared) withID(t *Task) *Job {
	j := d.job
	j.TID, j.Nested, j.out, j.task = t.TID, t.Slotless, t.Out, t
	j.controlIn, j.controlOut = t.ControlIn, t.ControlOut
	j.Spec = bytes.ReplaceAll(d.spec, []byte(d.placeholder), []byte(t.TID))
	return j
}
