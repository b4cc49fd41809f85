package ledger

import (
	"encoding/json"
	"fmt"

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

// decodeRequest decodes a request in any of its forms: for a task, whose spec it returns; a
// bare spec; or for a pipeline, whose spec has only the name.
func decodeRequest(body string, rules taskspec.Rules) (spec *taskspec.Spec, plan *Plan, item string, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return nil, nil, "", fmt.Errorf("request is not a JSON object: %w", err)
	}
	what := "taskspec"
	if _, isPipeline := fields["pipeline"]; isPipeline {
		what = "pipeline"
	}
	raw, wrapped := fields[what]
	if !wrapped {
		raw, fields = json.RawMessage(body), nil // a bare spec
	}
	for name := range fields {
		if name != what && name != "inbox_message" {
			return nil, nil, "", fmt.Errorf("request has an unknown field %.64q", name)
		}
	}
	if what == "pipeline" {
		spec, plan, err = decodePlan(raw, rules)
	} else if spec, err = taskspec.DecodeValid(raw, rules); err != nil {
		err = fmt.Errorf("invalid taskspec: %w", err)
	}
	if err != nil {
		return nil, nil, "", err
	}
	return spec, plan, itemBody(fields["inbox_message"]), nil
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
