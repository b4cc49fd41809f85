package taskspec

// Spec is one task as it stands in JSON: a template before it is spawned, a
// resolved task afterwards (see [Spec.Resolve]). Its zero value is a template
// that lacks a name and a type, which [Spec.Validate] says.
type Spec struct {
	// TID is the task's id, 19 digits. It is empty in a template.
	TID string `json:"tid,omitempty"`
	// Version is the version of this format, "N.N". Empty means [Version].
	Version string `json:"version,omitempty"`
	// Name is required: 1 to 200 characters, none of them a control character.
	Name string `json:"name"`
	// Description is free text for people.
	Description string `json:"description,omitempty"`
	// Work is what the task does: its fields are those of the spec in Go, and the object
	// "spec" in JSON.
	Work `json:"spec"`
	// IO overrides the names of the task's queues.
	IO IO `json:"io,omitzero"`
	// State is what has become of the task. It is nil in a template.
	State *State `json:"state,omitempty"`
	// Metadata is the submitter's own. Two names in it have a meaning: "tags",
	// a list of strings, and "parent_tid", the task that submitted this one.
	// [Decode] keeps numbers in it as [encoding/json.Number].
	Metadata map[string]any `json:"metadata,omitzero"`
}

// Tags are the tags of the task, in its metadata.
func (s *Spec) Tags() (tags []string) {
	switch all := s.Metadata["tags"].(type) {
	case []string:
		return all
	case []any: // as [Decode] leaves it
		for _, tag := range all {
			if text, ok := tag.(string); ok {
				tags = append(tags, text)
			}
		}
	}
	return tags
}

// Version is the format's version, which an empty [Spec.Version] stands for.
const Version = "1.0"

// IO names the queues of a task, each map from the task's name for the queue
// ("inbox", "outbox", "ctrl_in", "ctrl_out") to the queue. A name that is
// missing gets its default, "T" + tid + "." + name. The reserved queue cannot
// be overridden: what a task holds must be found by its id alone.
//
// With an "inbox" the task waits for a message of that queue and works on it: the
// task that has waited longest gets the oldest message, and its policies put it
// back there. With an "outbox" its result goes to that queue if it completes; what
// it has written otherwise stays in its own. A persistent task takes all its items
// from that inbox, of which several may share one, and puts the result of each item
// that completed into that outbox. With a "ctrl_in" the task obeys what comes into
// that queue, beside its own; with a "ctrl_out" it answers into that one. A message of
// a ctrl_in that several tasks share is for the first that reads it. The other names
// are not supported yet.
type IO struct {
	Inputs  map[string]string `json:"inputs,omitzero"`
	Outputs map[string]string `json:"outputs,omitzero"`
	Control map[string]string `json:"control,omitzero"`
}

// State is what has become of a task. Times are wall-clock nanoseconds since
// 1970, and 0 means "not yet". The samples are nil until there is one.
type State struct {
	// Status is empty in a state that was never set, which means "created".
	Status Status `json:"status,omitempty"`
	// ReturnCode is nil while there is none, and for a task that was lost.
	ReturnCode *int `json:"return_code,omitempty"`
	// Signal names the signal the command died of, such as "SIGSEGV".
	Signal      string `json:"signal,omitempty"`
	StartedAt   int64  `json:"started_at,omitempty"`
	CompletedAt int64  `json:"completed_at,omitempty"`
	// PID is the task's own process, 0 while there is none.
	PID int `json:"pid,omitempty"`
	// Attempt counts the dispatches: 1 for the first.
	Attempt int    `json:"attempt,omitempty"`
	Error   string `json:"error,omitempty"`

	// Time is how long the work took, in seconds.
	Time *float64 `json:"time,omitempty"`
	// Memory is in MiB and CPU in percent of one core.
	Memory         *float64 `json:"memory,omitempty"`
	CPU            *float64 `json:"cpu,omitempty"`
	FDs            *int     `json:"fds,omitempty"`
	NetConnections *int     `json:"net_connections,omitempty"`

	PeakMemory         *float64 `json:"peak_memory,omitempty"`
	PeakCPU            *float64 `json:"peak_cpu,omitempty"`
	PeakFDs            *int     `json:"peak_fds,omitempty"`
	PeakNetConnections *int     `json:"peak_net_connections,omitempty"`
}

// Slotless reports whether the task holds none of the slots for tasks that run
// at once, because it mostly waits: for a person, or for its next item.
func (s *Spec) Slotless() bool { return s.Talks() || s.Persistent }

// Talks reports whether somebody talks with the task while it runs.
func (s *Spec) Talks() bool { return s.Interactive || s.TTY }
