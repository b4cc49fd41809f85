package ledger

import (
	"encoding/json"
	"fmt"
	"runtime"

	"weft/taskspec"
)

// A request is the message that submits a task.
type request struct {
	Spec     json.RawMessage  `json:"taskspec,omitempty"`
	Pipeline *pipelineRequest `json:"pipeline,omitempty"` // instead of a spec
	Item     json.RawMessage  `json:"inbox_message,omitempty"`
}

// A pipelineRequest is the pipeline in a request.
type pipelineRequest struct {
	Name string `json:"name"`
	Plan
}

// wanted is what a request asks for.
type wanted struct {
	spec *taskspec.Spec  // of a pipeline, only with its name
	raw  json.RawMessage // the spec as the request has it
	plan *Plan           // of a pipeline
	item string          // the work item
}

// decodeRequest decodes a request in any of its forms: for a task; a bare spec; or for a
// pipeline.
func decodeRequest(body string) (w wanted, err error) {
	rules := taskspec.Rules{Template: true, Cores: runtime.NumCPU(), Supported: true}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return w, fmt.Errorf("request is not a JSON object: %w", err)
	}
	what := "taskspec"
	if _, isPipeline := fields["pipeline"]; isPipeline {
		what = "pipeline"
	}
	var wrapped bool
	if w.raw, wrapped = fields[what]; !wrapped {
		w.raw, fields = json.RawMessage(body), nil // a bare spec
	}
	for name := range fields {
		if name != what && name != "inbox_message" {
			return wanted{}, fmt.Errorf("request has an unknown field %.64q", name)
		}
	}
	if what == "pipeline" {
		w.spec, w.plan, err = decodePlan(w.raw, rules)
	} else if w.spec, err = taskspec.DecodeValid(w.raw, rules); err != nil {
		err = fmt.Errorf("invalid taskspec: %w", err)
	}
	if err != nil {
		return wanted{}, err
	}
	w.item = itemBody(fields["inbox_message"])
	return w, nil
}

// noItem is the work item of a request without one.
const noItem = "{}"

// itemBody returns the message that a request's inbox_message stands for: a string is its
// text, any other value its JSON, none an empty item.
func itemBody(item json.RawMessage) string {
	var text string
	switch {
	case item == nil || string(item) == "null":
		return noItem
	case json.Unmarshal(item, &text) == nil:
		return text
	default:
		return string(item)
	}
}
