package ledger

import (
	"encoding/json"
	"slices"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// DumpOptions returns what a dump of a project holds. It never holds the environments of
// submitters, which are full of secrets, nor the request index, which a load makes from the
// tasks, nor outputs that are kept although they were taken. It holds the records of managers, endpoints and the
// like only with state, because they are about processes of this machine. Only with secrets
// does it hold the environment in specs, and the values at the paths of
// [taskspec.Spec.Redacted].
func DumpOptions(state, secrets bool, paths []string) broker.DumpOptions {
	left := make(map[string]bool) // tasks whose records are damaged
	o := broker.DumpOptions{
		Redacted: !secrets,
		Record: func(r broker.Record) (broker.Record, bool, error) {
			if err := Check(r); err != nil {
				left[r.Key] = left[r.Key] || r.Kind == Kind
				return r, false, err
			}
			switch r.Kind {
			case Kind:
				r, err := dumped(r, !secrets, paths)
				return r, true, err
			case keyKind:
				r, err := dumpedKey(r, !secrets)
				return r, true, err
			case attemptKind, batchKind, concurrencyKind:
				return r, true, nil
			case indexKind, envKind:
				return r, false, nil
			}
			return r, state, nil
		},
	}
	o.Message = func(m broker.Message) (broker.Message, bool, error) {
		if m.Queue == TakenOutputs {
			return m, false, nil
		}
		if isRequests(m.Queue) && left[m.ID.String()] {
			// Where it is loaded it would seem to be written by hand.
			return m, false, &DamagedError{Kind, m.ID.String(), errMismatch}
		}
		if !secrets {
			m.Body = redactMessage(m, paths)
		}
		return m, true, nil
	}
	return o
}

// dumped returns a task's record as it is dumped.
func dumped(r broker.Record, redact bool, paths []string) (broker.Record, error) {
	t, err := Decode(r)
	if err != nil {
		return r, err
	}
	t.Env = "" // that environment is not dumped
	if redact {
		if t.Spec, err = t.redacted(paths...); err != nil {
			return r, err
		}
		if len(t.Tags) > 0 {
			s := taskspec.Spec{Metadata: map[string]any{"tags": t.Tags}}
			t.Tags = s.Redacted(slices.Concat(paths, t.Redact)...).Tags()
		}
		if t.Plan != nil {
			t.Plan.redact(paths)
		}
	}
	return t.record()
}

// redactMessage returns the body of a message without the values of a spec's environment
// and those at the paths. Weft writes events without them, but events of the original Weft
// may hold them.
func redactMessage(m broker.Message, paths []string) string {
	if !isRequests(m.Queue) && m.Queue != Log {
		return m.Body
	}
	body := []byte(m.Body)
	if redacted, isPipeline := redactPipeline(body, paths); isPipeline {
		return redacted
	}
	return string(redactSpec(redactSpec(body, paths, "taskspec"), paths)) // or a bare spec
}

// redactPipeline returns the body of a request for a pipeline with redacted stages. It
// redacts all of a pipeline that it cannot read.
func redactPipeline(body []byte, paths []string) (redacted string, isPipeline bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields["pipeline"] == nil {
		return "", false
	}
	var p pipelineRequest
	text := []byte(hidden)
	if json.Unmarshal(fields["pipeline"], &p) == nil {
		p.redact(paths)
		if known, err := json.Marshal(p); err == nil {
			text = known
		}
	}
	fields["pipeline"] = text
	all, err := json.Marshal(fields)
	if err != nil {
		return hidden, true
	}
	return string(all), true
}

// redact redacts the specs of the stages.
func (p *Plan) redact(paths []string) {
	for i := range p.Stages {
		p.Stages[i].Spec = redactSpec(p.Stages[i].Spec, paths)
	}
}

// redactSpec returns JSON with the spec at a path redacted: without the values of its
// environment, and without those at the paths.
func redactSpec(text []byte, paths []string, at ...string) []byte {
	for _, path := range append([]string{"spec.env"}, paths...) {
		text, _ = redactAt(text, append(slices.Clone(at), strings.Split(path, ".")...)...)
	}
	return text
}

// hidden replaces a value in JSON.
const hidden = `"` + taskspec.RedactedText + `"`

// redactAt returns JSON with the values of the object at path redacted, or whatever is
// there instead of an object, and whether that changed it. The text need not be a valid
// spec: a request that cannot be run may hold secrets all the same.
func redactAt(text []byte, path ...string) (redacted []byte, changed bool) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		// If the path leads into a list, all of it is redacted.
		if isList := json.Unmarshal(text, new([]json.RawMessage)) == nil; len(path) == 0 || isList {
			return []byte(hidden), true
		}
		return text, false
	}
	if len(path) == 0 {
		for name, value := range fields {
			if string(value) != hidden {
				fields[name], changed = json.RawMessage(hidden), true
			}
		}
	} else if inner, ok := fields[path[0]]; ok {
		fields[path[0]], changed = redactAt(inner, path[1:]...)
	}
	if !changed {
		return text, false
	}
	redacted, err := json.Marshal(fields)
	return redacted, err == nil
}
