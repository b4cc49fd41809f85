package taskspec

import (
	"encoding/json"
	"maps"
)

// Defaults are what lies over a stored task where something names it: a stage of a
// pipeline, or the manifest of a service.
type Defaults struct {
	// Input is the work item: text as it is, any other value as JSON. nil is none.
	Input any `json:"input,omitempty"`
	// Args are appended to those of the task.
	Args []any `json:"args,omitzero"`
	// KeywordArgs lie over those of the task.
	KeywordArgs map[string]any `json:"keyword_args,omitzero"`
	// Env lies over that of the task.
	Env map[string]string `json:"env,omitzero"`
}

// Over returns what task becomes, but for the input. It shares nothing with either
// that is changed later. Whether it can be run, [Spec.ValidateFor] says.
func (d Defaults) Over(task *Spec) *Spec {
	t := *task
	t.Args = append(task.Args[:len(task.Args):len(task.Args)], d.Args...)
	t.KeywordArgs = over(task.KeywordArgs, d.KeywordArgs)
	t.Env = over(task.Env, d.Env)
	return &t
}

// over returns a copy of below with what is above it.
func over[V any](below, above map[string]V) map[string]V {
	if len(above) == 0 {
		return maps.Clone(below)
	}
	m := make(map[string]V, len(below)+len(above))
	maps.Copy(m, below)
	maps.Copy(m, above)
	return m
}

// describeDefaults puts into a format what there is to say about the defaults at a
// path of it.
func describeDefaults(format map[string]entry, path, about, input string) {
	format[path] = row(about)
	format[path+".input"] = row(input, free{})
	format[path+".args"] = row("Appended to the arguments of the task.", free{})
	format[path+".keyword_args"] = row("Lie over the keyword_args of the task.", free{})
	format[path+".env"] = row("Variables that lie over those of the task.", environment()).anyBytes()
}

// MarshalJSON writes the values of variables as [RawString].
func (d Defaults) MarshalJSON() ([]byte, error) {
	type plain Defaults
	return json.Marshal(struct {
		plain
		Env map[string]RawString `json:"env,omitzero"`
	}{plain(d), RawEnv(d.Env)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Defaults) UnmarshalJSON(data []byte) error {
	type plain Defaults
	v := struct {
		*plain
		Env map[string]RawString `json:"env,omitzero"`
	}{(*plain)(d), RawEnv(d.Env)}
	if err := unmarshalNumbers(data, &v); err != nil {
		return err
	}
	d.Env = PlainEnv(v.Env)
	return nil
}
