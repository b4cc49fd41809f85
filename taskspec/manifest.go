package taskspec

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"sync"
	"time"
)

// Manifest names a task or a pipeline that the manager of its project starts by
// itself: a service. It says what is stored elsewhere; a spec cannot stand in it.
type Manifest struct {
	// Name is the service's, required: 1 to 200 characters, none of them a control
	// character.
	Name     string          `json:"name"`
	Target   ManifestTarget  `json:"target"`
	Policy   ServicePolicy   `json:"policy,omitzero"`
	Defaults ServiceDefaults `json:"defaults,omitzero"`
}

// ManifestTarget is what a service runs.
type ManifestTarget struct {
	Type string `json:"type"` // [TargetTask] or [TargetPipeline]
	Name string `json:"name"` // under which it is stored
}

// The values of [ManifestTarget.Type].
const (
	TargetTask     = "task"
	TargetPipeline = "pipeline"
)

// ServicePolicy says when a service is started. The zero value is once.
type ServicePolicy struct {
	// Mode is [ModeOnce], which is the default, or [ModeEnsure].
	Mode string `json:"mode,omitempty"`
	// MaxRestarts is how often it may be restarted in a row; nil is no bound.
	MaxRestarts *int `json:"max_restarts,omitempty"`
	// BackoffSeconds is the time before the first restart in a row, by default 1:
	// see [ServicePolicy.Backoff].
	BackoffSeconds *float64 `json:"backoff_seconds,omitempty"`
}

// The values of [ServicePolicy.Mode].
const (
	ModeOnce   = "once"   // each manager starts it once
	ModeEnsure = "ensure" // it is started again whenever it ends
)

// ServiceDefaults are laid over what the target says.
type ServiceDefaults struct {
	Args        []any             `json:"args,omitzero"`         // appended
	KeywordArgs map[string]any    `json:"keyword_args,omitzero"` // merged
	Env         map[string]string `json:"env,omitzero"`          // merged
	// Input is the work item: a string as it is, any other value as JSON.
	Input any `json:"input,omitempty"`
}

// The times of a service.
const (
	defaultServiceBackoff = 1
	// maxServiceBackoff is the longest time before a restart, in seconds.
	maxServiceBackoff = 60
	// StableService is how long a service must have run for its restarts to be
	// counted anew.
	StableService = time.Minute
)

// Ensures reports whether the service is started again whenever it ends.
func (p ServicePolicy) Ensures() bool { return p.Mode == ModeEnsure }

// Backoff is the time between the end of a service and its restart after so many
// restarts in a row: backoff_seconds, doubled for each of them, at most a minute.
func (p ServicePolicy) Backoff(restarts int) time.Duration {
	backoff := math.Ldexp(valueOr(p.BackoffSeconds, defaultServiceBackoff), min(restarts, 64))
	return seconds(min(backoff, maxServiceBackoff))
}

// Spent reports whether there may be no other restart after so many in a row.
func (p ServicePolicy) Spent(restarts int) bool {
	return p.MaxRestarts != nil && restarts >= *p.MaxRestarts
}

// DecodeManifest reads a manifest from JSON. It is as strict as [DecodeValid],
// and reports all that is wrong in one *[ValidationError].
func DecodeManifest(data []byte) (*Manifest, error) {
	m := new(Manifest)
	problems, isJSON := decodeRecord(data, manifestShape(), reflect.ValueOf(m).Elem())
	if isJSON {
		c := checker{}
		c.record(manifestShape(), reflect.ValueOf(m).Elem(), 1)
		problems.addNew(c.problems)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return m, nil
}

var manifestShape = sync.OnceValue(func() *shape { return shapeOf(reflect.TypeFor[Manifest](), "", manifestFormat()) })

// manifestFormat is what [format] is, for a manifest.
func manifestFormat() map[string]entry {
	name := []rule{lengthRule(maxName), printableRule(), unicodeRule()}
	return map[string]entry{
		"name": {
			about:   "What the service is called. No two have the same name.",
			missing: "required",
			rules:   name,
		},
		"target": {
			about:   "What the service runs.",
			missing: `required: {"type": "task", "name": …}`,
		},
		"target.type": {
			about:   "Whether a task or a pipeline is meant.",
			missing: `required: "task" or "pipeline"`,
			rules:   []rule{choice{TargetTask, TargetPipeline}},
		},
		"target.name": {
			about:   "The name under which its spec is stored. The spec itself cannot stand here.",
			missing: "required: the name of a stored spec",
			rules:   name,
		},
		"policy": {
			about: "When the service is started.",
		},
		"policy.mode": {
			about:     "Once by each manager, or again whenever it ends.",
			byDefault: ModeOnce,
			rules:     []rule{choice{ModeOnce, ModeEnsure}},
		},
		"policy.max_restarts": {
			about: "How often it may be restarted in a row. No bound by default.",
			rules: []rule{span{}},
		},
		"policy.backoff_seconds": {
			about:     "The time before a restart, in seconds. It doubles from one to the next, and is counted anew after a minute without an end.",
			byDefault: defaultServiceBackoff,
			rules:     []rule{span{most: maxServiceBackoff, open: true, unit: " seconds"}},
		},
		"defaults": {
			about: "What is laid over the spec.",
		},
		"defaults.args": {
			about: "Appended to its arguments.",
			rules: []rule{freeList{}},
		},
		"defaults.keyword_args": {
			about: "Merged over its named arguments.",
			rules: []rule{free{}},
		},
		"defaults.env": {
			about: "Variables that lie over its own.",
			rules: []rule{members{keys: []*textRule{variableRule()}, values: []*textRule{osRule()}}},
		},
		"defaults.input": {
			about: "Its work item: a text, or any other value as JSON.",
		},
	}
}

// Over lays the defaults over a spec, which it changes.
func (d ServiceDefaults) Over(s *Spec) {
	s.Spec.Args = append(s.Spec.Args, d.Args...)
	if len(d.KeywordArgs) > 0 && s.Spec.KeywordArgs == nil {
		s.Spec.KeywordArgs = make(map[string]any, len(d.KeywordArgs))
	}
	maps.Copy(s.Spec.KeywordArgs, d.KeywordArgs)
	if len(d.Env) > 0 && s.Spec.Env == nil {
		s.Spec.Env = make(map[string]string, len(d.Env))
	}
	maps.Copy(s.Spec.Env, d.Env)
}

// Item is the message that the service works on; false if it has none.
func (d ServiceDefaults) Item() (item string, ok bool, err error) {
	switch input := d.Input.(type) {
	case nil:
		return "", false, nil
	case string:
		return input, true, nil
	}
	text, err := json.Marshal(d.Input)
	if err != nil {
		return "", false, fmt.Errorf("encode defaults.input: %w", err)
	}
	return string(text), true, nil
}
