package taskspec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// MarshalJSON writes the spec. Paths, arguments of a command and values of
// variables are written as a [RawString] where they are not UTF-8.
func (s Spec) MarshalJSON() ([]byte, error) {
	type plain Spec // has the fields only
	if isPlain(&s.Work) {
		return json.Marshal((*plain)(&s))
	}
	return json.Marshal(struct {
		plain
		Spec rawWork `json:"spec"`
	}{plain(s), newRawWork(s.Work)})
}

// UnmarshalJSON reads a spec as [encoding/json] does, but keeps numbers as
// [encoding/json.Number] in args, keyword_args and metadata. [Decode] is strict.
func (s *Spec) UnmarshalJSON(data []byte) error {
	type plain Spec
	if !bytes.Contains(data, []byte(`"`+rawKey+`"`)) { // mostly, and this is the faster way
		return unmarshalNumbers(data, (*plain)(s))
	}
	v := struct {
		*plain
		Spec rawWork `json:"spec"`
	}{plain: (*plain)(s)}
	v.Spec = newRawWork(s.Work)
	if err := unmarshalNumbers(data, &v); err != nil {
		return err
	}
	s.Work = v.Spec.work()
	return nil
}

// unmarshalNumbers is json.Unmarshal that keeps every digit of numbers.
func unmarshalNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

type plainWork Work

// rawWork is a [Work] as it is in JSON. The fields stand in for those of the same
// name in plainWork.
type rawWork struct {
	plainWork
	ProcessTarget RawString            `json:"process_target,omitempty"`
	Args          []any                `json:"args,omitzero"`
	Env           map[string]RawString `json:"env,omitzero"`
	WorkingDir    RawString            `json:"working_dir,omitempty"`
	WeftContext   RawString            `json:"weft_context,omitempty"`
}

func newRawWork(w Work) rawWork {
	r := rawWork{plainWork(w), RawString(w.ProcessTarget), w.Args, RawEnv(w.Env), RawString(w.WorkingDir), RawString(w.WeftContext)}
	if w.Type == KindFunction || w.Args == nil {
		return r // its arguments are any JSON, where such an object is a value like others
	}
	r.Args = make([]any, len(w.Args))
	for i, arg := range w.Args {
		if r.Args[i] = arg; !isText(arg) {
			text, _ := argText(arg)
			r.Args[i] = RawString(text)
		}
	}
	return r
}

// work is the inverse of newRawWork.
func (r *rawWork) work() Work {
	w := Work(r.plainWork)
	w.ProcessTarget, w.WorkingDir, w.WeftContext = string(r.ProcessTarget), string(r.WorkingDir), string(r.WeftContext)
	w.Args, w.Env = r.Args, PlainEnv(r.Env)
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

// isPlain reports whether nothing in the work has to be a [RawString] in JSON.
func isPlain(w *Work) bool {
	if !utf8.ValidString(w.ProcessTarget) || !utf8.ValidString(w.WorkingDir) || !utf8.ValidString(w.WeftContext) {
		return false
	}
	for _, arg := range w.Args {
		if !isText(arg) {
			return false
		}
	}
	return isTextEnv(w.Env)
}

// isText reports whether an argument is not a string that is not UTF-8.
func isText(arg any) bool {
	if text, isString := arg.(string); isString {
		return utf8.ValidString(text)
	}
	v := reflect.ValueOf(arg)
	return v.Kind() != reflect.String || utf8.ValidString(v.String())
}

func isTextEnv(env map[string]string) bool {
	for _, value := range env {
		if !utf8.ValidString(value) {
			return false
		}
	}
	return true
}
