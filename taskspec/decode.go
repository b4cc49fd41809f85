package taskspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// MaxDocument is the greatest size of a spec in JSON, in bytes: that of a
// message in a queue.
const MaxDocument = 10 << 20

// maxDepth is how deep lists and objects may be nested in a document, which is
// the first of them itself.
const maxDepth = 64

// Decode reads one spec from JSON. It is strict: a key that the format does not
// know, a key given twice (also in env, metadata and the like), a key in
// another case, a value of the wrong kind, more than 64 levels or 10 MiB, text
// that is not Unicode and anything after the spec are errors, all of them
// reported in one *[ValidationError]. null stands for a field that is not
// there. Decode does not look at what the values mean; [Spec.Validate] does,
// and [DecodeValid] does both.
//
// Numbers in args, keyword_args and metadata become [encoding/json.Number] and
// keep every digit.
func Decode(data []byte) (*Spec, error) { return specs.decode(data) }

// DecodeValid decodes and validates, and reports what is wrong in either way
// together in one *[ValidationError].
func DecodeValid(data []byte, rules Rules) (*Spec, error) { return specs.decodeValid(data, rules) }

// decode decodes what it can of data, which has the shape of into, and returns
// what is wrong with it. isJSON is false where nothing could be decoded.
func decode(data []byte, want *shape, into reflect.Value) (problems report, isJSON bool) {
	var d decoder
	switch {
	case len(data) > MaxDocument:
		d.problem("longer than %d bytes", MaxDocument)
		return d.report, false
	case !utf8.Valid(data):
		d.problem("not valid UTF-8")
		return d.report, false
	case !json.Valid(data):
		d.problem("not valid JSON: %s", syntaxProblem(data))
		return d.report, false
	}
	// One copy of the document; the strings of what it holds are parts of it.
	d.text = string(data)
	d.whole(want, into)
	if s, isSpec := into.Addr().Interface().(*Spec); isSpec {
		readArgs(&s.Work)
	}
	return d.report, true
}

// syntaxProblem says what is wrong with data that is no JSON, and where.
func syntaxProblem(data []byte) string {
	err := json.Unmarshal(data, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%v (byte %d)", syntax, syntax.Offset)
	}
	return fmt.Sprint(err)
}

// covers reports whether one of the problems is about the field at path or
// about something that the field is part of.
func covers(problems []Problem, path string) bool {
	for _, p := range problems {
		rest, ok := strings.CutPrefix(path, p.Path)
		if ok && (p.Path == "" || rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}
