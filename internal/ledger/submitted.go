package ledger

import (
	"cmp"
	"encoding/json"

	"weft/broker"
	"weft/taskspec"
)

// Submitted is what is known of the submission of a task.
type Submitted struct {
	Spec      json.RawMessage // as it was submitted; empty if it is not known, and for a pipeline
	Dir, Root taskspec.RawString
	Redact    []string // paths into the spec that nobody may see
}

// SubmittedOf returns what the task's record has of its submission. Before the dispatch the
// spec is in the request: see [ReadRequest].
func SubmittedOf(t *Task) Submitted { return Submitted{t.Spec, t.Dir, t.Root, t.Redact} }

// ReadRequest completes a record that was read before the dispatch with the spec of its
// request. The record is then only to be looked at.
func ReadRequest(r broker.Reader, t *Task) error {
	if t.Status != taskspec.StatusCreated || len(t.Spec) > 0 || t.Pipeline {
		return nil
	}
	ms, err := r.Messages(t.requests(), broker.Select{ID: t.Number()})
	if err != nil || len(ms) == 0 { // it was dispatched since
		return err
	}
	var request request
	if json.Unmarshal([]byte(ms[0].Body), &request) == nil {
		t.Spec = request.Spec
	}
	return nil
}

// Shown returns the spec as readers see it: without the values of the environment and what
// Redact hides, and with the directory in which the work runs, as far as that is known. It
// is nil if the spec is not known, or cannot be read.
func (s Submitted) Shown() *taskspec.Spec {
	if len(s.Spec) == 0 {
		return nil
	}
	spec := new(taskspec.Spec)
	if spec.UnmarshalJSON(s.Spec) != nil {
		return nil
	}
	spec.WorkingDir = directory(spec.WorkingDir, string(cmp.Or(s.Dir, s.Root)))
	return spec.Redacted(s.Redact...)
}
