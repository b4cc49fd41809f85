package taskspec

import (
	"cmp"
	"encoding/json"
	"time"
)

// Manifest names a task or a pipeline that the manager of its project starts by
// itself: a service. It says what is stored elsewhere; a spec cannot stand in it.
type Manifest struct {
	// Name is the service's, required: 1 to 200 characters, none of them a control
	// character.
	Name   string         `json:"name"`
	Target ManifestTarget `json:"target"`
	Policy ServicePolicy  `json:"policy,omitzero"`
	// Defaults lie over what the target says. Of a pipeline env is for all stages, and
	// input for the first; the others it cannot have.
	Defaults Defaults `json:"defaults,omitzero"`
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
	// Backoff is the time before the first restart in a row; 0 means 1 s. See
	// [ServicePolicy.RestartDelay].
	Backoff time.Duration `json:"backoff_seconds,omitempty"`
}

// The values of [ServicePolicy.Mode].
const (
	ModeOnce   = "once"   // each manager starts it once
	ModeEnsure = "ensure" // it is started again whenever it ends
)

// servicePolicyJSON is a [ServicePolicy] as it is in JSON.
type servicePolicyJSON struct {
	Mode        string  `json:"mode,omitempty"`
	MaxRestarts *int    `json:"max_restarts,omitempty"`
	Backoff     float64 `json:"backoff_seconds,omitempty"`
}

// MarshalJSON writes the policy, times in seconds.
func (p ServicePolicy) MarshalJSON() ([]byte, error) {
	return json.Marshal(servicePolicyJSON{p.Mode, p.MaxRestarts, p.Backoff.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *ServicePolicy) UnmarshalJSON(data []byte) error {
	var v servicePolicyJSON
	err := json.Unmarshal(data, &v)
	*p = ServicePolicy{v.Mode, v.MaxRestarts, seconds(v.Backoff)}
	return err
}

// The times of a service.
const (
	defaultServiceBackoff = time.Second
	// maxServiceBackoff is the longest time before a restart.
	maxServiceBackoff = time.Minute
	// StableService is how long a service must have run for its restarts to be
	// counted anew.
	StableService = time.Minute
)

// Ensures reports whether the service is started again whenever it ends.
func (p ServicePolicy) Ensures() bool { return p.Mode == ModeEnsure }

// RestartDelay is the time between the end of a service and its restart after so many
// restarts in a row: Backoff, doubled for each of them, at most a minute.
func (p ServicePolicy) RestartDelay(restarts int) time.Duration {
	return doubled(cmp.Or(p.Backoff, defaultServiceBackoff), restarts, maxServiceBackoff)
}

// doubled is a time that is doubled so many times, at most the longest one.
func doubled(d time.Duration, times int, longest time.Duration) time.Duration {
	for ; times > 0 && d > 0 && d < longest; times-- {
		d = min(2*d, longest)
	}
	return min(d, longest)
}

// Spent reports whether there may be no other restart after so many in a row.
func (p ServicePolicy) Spent(restarts int) bool {
	return p.MaxRestarts != nil && restarts >= *p.MaxRestarts
}

// DecodeManifest reads a manifest from JSON. It is as strict as [DecodeValid],
// and reports all that is wrong in one *[ValidationError].
func DecodeManifest(data []byte) (*Manifest, error) { return manifests.decodeValid(data, Rules{}) }

// ManifestSchema is [Schema] for the manifest of a service.
func ManifestSchema() []byte { return manifests.schema(Rules{}) }

var manifests = &document[Manifest]{
	title:  "Weft autostart manifest",
	about:  "A task or pipeline that the manager of a project starts by itself.",
	format: manifestFormat,
}

// manifestFormat is what [format] is, for a manifest.
func manifestFormat() map[string]entry {
	name := nameRules(maxName)
	f := map[string]entry{
		"name":   row("What the service is called. No two have the same name.", name...).required("required"),
		"target": row("What the service runs.").required(`required: {"type": "task", "name": …}`),
		"target.type": row("Whether a task or a pipeline is meant.",
			oneOf(TargetTask, TargetPipeline)).required(`required: "task" or "pipeline"`),
		"target.name": row("The name under which its spec is stored. The spec itself cannot stand here.",
			name...).required("required: the name of a stored spec"),
		"policy":              row("When the service is started."),
		"policy.mode":         row("Once by each manager, or again whenever it ends.", oneOf(ModeOnce, ModeEnsure)).defaults(ModeOnce),
		"policy.max_restarts": row("How often it may be restarted in a row. No bound by default.", span{}),
		"policy.backoff_seconds": row("The time before a restart, in seconds. It doubles from one to the next, and is counted anew after a minute without an end.",
			span{most: maxServiceBackoff.Seconds(), open: true, unit: " seconds"}).defaults(defaultServiceBackoff.Seconds()),
	}
	describeDefaults(f, "defaults", "What lies over what the target says.", "The work item: a text, or any other value as JSON.")
	return f
}
