package ledger

import (
	"time"

	"weft/broker"
	"weft/internal/proc"
)

// A Prepared is a prepared submission of a task that calls a function inside the program
// that submits and serves it. Everything that does not need the id is done before the
// transaction, because others wait for that.
type Prepared struct {
	submission Submission
	job        *Job // without its id
}

// Prepare prepares the submission. The result is nil if the task cannot run, which
// [SubmitAll] records, or has a concurrency key, or is of a batch, or is so large that its
// request may not fit a message of so many bytes. root is the project's.
func (s Submission) Prepare(root string, maxMessage int) (*Prepared, error) {
	if s.Spec.Concurrency != nil || s.Batch != "" {
		return nil, nil // it may have to wait for its key
	}
	text, err := s.encode()
	if err != nil {
		return nil, err
	}
	if len(text) > maxMessage/2 {
		return nil, nil // whether it fits must not depend on whether a slot is free
	}
	j := &Job{
		Assignment: Assignment{Name: s.Spec.Name, Epoch: 1, Input: s.Input, Dir: s.Dir}, item: s.Item,
	}
	// The copy shares nothing with what the submitter may change.
	if j.resolve(wanted{spec: s.Spec.Resolve("", root), raw: text}, root) != "" {
		return nil, nil
	}
	return &Prepared{s, j}, nil
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
	held, digest, err := s.held(tx, d.job.Spec)
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
	j.TID, j.Slotless, j.task = t.TID, t.Slotless, t
	return j
}
