package consumer

import (
	"encoding/json"

	"weft/taskspec"
)

// Values on a link may hold any bytes where an operating system takes them. The fields of
// the types below replace those of the same name.

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
