package taskspec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"unicode/utf8"
)

// specJSON is a [Spec] as it is in JSON.
type specJSON struct {
	TID         string         `json:"tid,omitempty"`
	Version     string         `json:"version,omitempty"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Work        workJSON       `json:"spec"`
	IO          IO             `json:"io,omitzero"`
	State       *State         `json:"state,omitempty"`
	Metadata    map[string]any `json:"metadata,omitzero"`
}

// MarshalJSON writes the spec: times in seconds, and paths, arguments of a command
// and values of variables as a [RawString] where they are not UTF-8.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(specJSON{s.TID, s.Version, s.Name, s.Description, newWorkJSON(s.Work), s.IO, s.State, s.Metadata})
}

// UnmarshalJSON reads a spec as [encoding/json] does, but keeps numbers as
// [encoding/json.Number] in args, keyword_args and metadata. [Decode] is strict.
func (s *Spec) UnmarshalJSON(data []byte) error {
	v := specJSON{s.TID, s.Version, s.Name, s.Description, newWorkJSON(s.Work), s.IO, s.State, s.Metadata}
	if err := unmarshalNumbers(data, &v); err != nil {
		return err
	}
	*s = Spec{v.TID, v.Version, v.Name, v.Description, v.Work.work(), v.IO, v.State, v.Metadata}
	return nil
}

// unmarshalNumbers is json.Unmarshal that keeps every digit of numbers.
func unmarshalNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

type plainWork Work

// workJSON is a [Work] as it is in JSON. Its fields stand in for those of the same
// name in plainWork.
type workJSON struct {
	plainWork
	ProcessTarget   RawString            `json:"process_target,omitempty"`
	Args            []any                `json:"args,omitzero"`
	Env             map[string]RawString `json:"env,omitzero"`
	WorkingDir      RawString            `json:"working_dir,omitempty"`
	WeftContext     RawString            `json:"weft_context,omitempty"`
	Timeout         float64              `json:"timeout,omitempty"`
	StopGrace       *float64             `json:"stop_grace,omitempty"`
	PollingInterval float64              `json:"polling_interval,omitempty"`
	Delay           float64              `json:"delay_seconds,omitempty"`
}

func newWorkJSON(w Work) workJSON {
	v := workJSON{
		plainWork: plainWork(w), ProcessTarget: RawString(w.ProcessTarget), Args: w.Args, Env: RawEnv(w.Env),
		WorkingDir: RawString(w.WorkingDir), WeftContext: RawString(w.WeftContext),
		Timeout: w.Timeout.Seconds(), StopGrace: inSeconds(w.StopGrace),
		PollingInterval: w.PollingInterval.Seconds(), Delay: w.Delay.Seconds(),
	}
	if w.Type == KindFunction || !slices.ContainsFunc(w.Args, isRaw) {
		return v // the arguments of a function are any JSON, where such an object is a value like others
	}
	v.Args = slices.Clone(w.Args)
	for i, arg := range w.Args {
		if isRaw(arg) {
			text, _ := argText(arg)
			v.Args[i] = RawString(text)
		}
	}
	return v
}

// work is the inverse of newWorkJSON.
func (v *workJSON) work() Work {
	w := Work(v.plainWork)
	w.ProcessTarget, w.WorkingDir, w.WeftContext = string(v.ProcessTarget), string(v.WorkingDir), string(v.WeftContext)
	w.Args, w.Env = v.Args, PlainEnv(v.Env)
	w.Timeout, w.StopGrace = seconds(v.Timeout), fromSeconds(v.StopGrace)
	w.PollingInterval, w.Delay = seconds(v.PollingInterval), seconds(v.Delay)
	readArgs(&w)
	return w
}

// readArgs replaces the objects that stand for arguments of a command.
func readArgs(w *Work) {
	if w.Type != KindCommand {
		return
	}
	for i, arg := range w.Args {
		if _, isObject := arg.(map[string]any); !isObject {
			continue
		}
		if text, ok := rawText(arg); ok {
			w.Args[i] = text
		}
	}
}

// isRaw reports whether an argument is a string that is not UTF-8.
func isRaw(arg any) bool {
	v := reflect.ValueOf(arg)
	return v.Kind() == reflect.String && !utf8.ValidString(v.String())
}
