package consumer

import (
	"encoding/json"

	"weft/taskspec"
)

// Values on a link may hold any bytes where an operating system takes them. The fields of
// the types below replace those of the same name.

type rawAssignment struct {
	*plainAssignment
	Root    taskspec.RawString            `json:"root"`
	WeftDir taskspec.RawString            `json:"weft_dir"`
	Argv    []taskspec.RawString          `json:"argv"`
	Dir     taskspec.RawString            `json:"dir"`
	Stdin   taskspec.RawString            `json:"stdin,omitempty"`
	Over    map[string]taskspec.RawString `json:"over,omitempty"`
}

type plainAssignment Assignment

// MarshalJSON writes the assignment.
func (a *Assignment) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawAssignment{
		(*plainAssignment)(a), taskspec.RawString(a.Root), taskspec.RawString(a.WeftDir), taskspec.RawStrings(a.Argv),
		taskspec.RawString(a.Dir), taskspec.RawString(a.Stdin), taskspec.RawEnv(a.EnvOverlay),
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Assignment) UnmarshalJSON(data []byte) error {
	v := rawAssignment{plainAssignment: (*plainAssignment)(a)}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	a.Root, a.WeftDir, a.Argv = string(v.Root), string(v.WeftDir), taskspec.PlainStrings(v.Argv)
	a.Dir, a.Stdin, a.EnvOverlay = string(v.Dir), string(v.Stdin), taskspec.PlainEnv(v.Over)
	return nil
}

type rawCall struct {
	*plainCall
	Program taskspec.RawString `json:"program"`
	Host    taskspec.RawString `json:"host"`
}

type plainCall FunctionCall

// MarshalJSON writes the call.
func (f *FunctionCall) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawCall{(*plainCall)(f), taskspec.RawString(f.Program), taskspec.RawString(f.Version)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *FunctionCall) UnmarshalJSON(data []byte) error {
	v := rawCall{plainCall: (*plainCall)(f)}
	err := json.Unmarshal(data, &v)
	f.Program, f.Version = string(v.Program), string(v.Host)
	return err
}

type rawWork struct {
	*plainWork
	Env map[string]taskspec.RawString `json:"env,omitempty"`
	Dir taskspec.RawString            `json:"dir"`
}

type plainWork Work

// MarshalJSON writes the work.
func (w *Work) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawWork{(*plainWork)(w), taskspec.RawEnv(w.Env), taskspec.RawString(w.Dir)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Work) UnmarshalJSON(data []byte) error {
	v := rawWork{plainWork: (*plainWork)(w)}
	err := json.Unmarshal(data, &v)
	w.Env, w.Dir = taskspec.PlainEnv(v.Env), string(v.Dir)
	return err
}
