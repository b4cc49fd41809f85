package taskspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// compile reads a schema as an editor would. It fails on one that is not a
// schema itself.
func compile(t *testing.T, rules Rules) *jsonschema.Schema {
	t.Helper()
	return compileSchema(t, Schema(rules))
}

func compileSchema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("taskspec.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("taskspec.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verdicts returns what the schema and the validator say about a document.
func verdicts(t testing.TB, s *jsonschema.Schema, rules Rules, document []byte) (schema, validator error) {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	_, validator = DecodeValid(document, rules)
	return s.Validate(instance), validator
}

// A jsonObject is one that a test may change.
type jsonObject = map[string]any

// bases returns a valid document for each kind of work.
func bases() []jsonObject {
	return []jsonObject{
		{"name": "greet", "spec": jsonObject{"type": "command", "process_target": "echo"}},
		{"name": "resize", "spec": jsonObject{"type": "function", "function_target": "images.resize"}},
	}
}

// absent stands for no value: to set a field to it removes the field.
type absent struct{}

// paths returns the fields of the format, and one in each record that is none.
func paths(s *shape, at []string) [][]string {
	all := [][]string{append(at[:len(at):len(at)], "unknown")}
	for _, f := range s.order {
		path := append(at[:len(at):len(at)], f.name)
		all = append(all, path)
		if f.shape.form == formRecord {
			all = append(all, paths(f.shape, path)...)
		}
	}
	return all
}

// values returns what may stand in a field, fit or not. What a schema cannot
// say is not among it.
func values() []any {
	texts := []string{
		"", " ", "\u00a0\u0085\u2003", "\u200b", "\ufeff", "a", "ä", "a\nb", "a\x00b", "a\x7f", "A=B", "-a", ".a", "_a.B-9", "a b",
		"weft.state.workers", "weft.state", "reserved", "command", "function", "Command", "keep", "requeue", "clear",
		"continue", "stop", "poll", "transition", "process", "running", "completed", "1.0", "12.03", "1", "1.0.0", ".1",
		testTID, testTID[1:], testTID + "0", "+" + testTID[1:],
		strings.Repeat("ä", 200), strings.Repeat("ä", 201), strings.Repeat("q", 512), strings.Repeat("q", 513),
	}
	all := []any{absent{}, nil, true, false}
	for _, number := range []string{"0", "-0", "-1", "0.5", "1", "1.5", "-0.001", "99", "100", "101", "1e9", "1000000001", "1073741824", "1073741825", "1e300"} {
		all = append(all, json.Number(number))
	}
	for _, text := range texts {
		all = append(all, text)
	}
	for _, text := range []string{
		"", "a", "a b", "a\x00b", "A=B", ".a", "reserved", "weft.state.workers", testTID, testTID[1:],
		strings.Repeat("q", 512), strings.Repeat("q", 513),
	} {
		all = append(all, []any{text}, jsonObject{text: "a"}, jsonObject{"a": text}, jsonObject{"tags": []any{text}}, jsonObject{"parent_tid": text})
	}
	for _, value := range []any{nil, true, json.Number("1"), []any{}, jsonObject{}} {
		all = append(all, []any{"a", value}, jsonObject{"a": value}, jsonObject{"tags": value}, jsonObject{"tags": []any{value}}, jsonObject{"parent_tid": value})
	}
	for _, encoded := range []any{"Yf8=", "!", "", "YQ==\n", "Yf8", nil} {
		raw := jsonObject{"base64": encoded}
		all = append(all, raw, []any{raw}, jsonObject{"A": raw}, jsonObject{"base64": encoded, "a": "b"})
	}
	return append(all, []any{}, jsonObject{}, jsonObject{"inbox": "raw.data"}, []any{"A", "B"})
}

// at returns the shape of a field, and false where there is no such field.
func at(path []string) (*shape, bool) {
	s := specs.shape()
	for _, name := range path {
		f := s.fields[name]
		if f == nil {
			return nil, false
		}
		s = f.shape
	}
	return s, true
}

// spelled reports whether a schema and the validator read the value alike in
// the field: 1e9 is a whole number for a schema only.
func spelled(path []string, value any) bool {
	s, known := at(path)
	number, isNumber := value.(json.Number)
	return !known || !isNumber || s.form != formWhole || !strings.Contains(string(number), "e")
}

// telling reports whether the value may say more about the field than that it
// has another form. A short value says that, and the fields of a record are set
// by themselves.
func telling(path []string, value []byte) bool {
	s, known := at(path)
	return len(value) < 6 || known && s.form != formRecord && s.form.fits(value[0])
}

// set puts a value into a document, and makes the objects on the way.
func set(document jsonObject, path []string, value any) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := document[path[0]].(jsonObject)
		if !ok {
			inner = jsonObject{}
			document[path[0]] = inner
		}
		document = inner
	}
	if document[path[0]] = value; value == any(absent{}) {
		delete(document, path[0])
	}
}

// unspoken reports whether the value is one that a template may have by the
// validator alone.
func unspoken(path []string, value any, rules Rules) bool {
	field := strings.Join(path, ".")
	return rules.Template &&
		(field == "state" && value == nil || (field == "tid" || field == "spec.weft_context") && (value == nil || value == ""))
}

func allRules() []Rules {
	return []Rules{{}, {Template: true}, {Template: true, Cores: 1}}
}

// TestSchemaAgrees puts every value into every field: the schema and the
// validator must accept the same.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	for _, rules := range []Rules{{}, {Template: true, Cores: 1}} {
		s := compile(t, rules)
		accepted, refused := 0, 0
		for base := range bases() {
			for _, path := range paths(specs.shape(), nil) {
				for _, value := range values() {
					text, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					if !telling(path, text) || !spelled(path, value) || unspoken(path, value, rules) {
						continue
					}
					document := bases()[base]
					set(document, path, value)
					data, err := json.Marshal(document)
					if err != nil {
						t.Fatal(err)
					}
					schema, validator := verdicts(t, s, rules, data)
					switch {
					case (schema == nil) != (validator == nil):
						t.Errorf("%+v: %s\nschema:    %v\nvalidator: %v", rules, data, schema, validator)
					case schema == nil:
						accepted++
					default:
						refused++
					}
				}
			}
		}
		t.Logf("%+v: %d documents accepted, %d refused", rules, accepted, refused)
		if accepted < 1000 || refused < 1000 {
			t.Errorf("%+v: %d documents accepted and %d refused are too few to tell", rules, accepted, refused)
		}
	}
}

// TestSchemaAgreesOnCombinations puts several values into a document at once.
func TestSchemaAgreesOnCombinations(t *testing.T) {
	t.Parallel()
	var compiled []*jsonschema.Schema
	for _, rules := range allRules() {
		compiled = append(compiled, compile(t, rules))
	}
	fields, all := paths(specs.shape(), nil), values()
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(compiled)-1).Draw(rt, "rules")
		rules := allRules()[i]
		document := rapid.SampledFrom(bases()).Draw(rt, "base")
		for range rapid.IntRange(1, 5).Draw(rt, "changes") {
			path := rapid.SampledFrom(fields).Draw(rt, "field")
			value := rapid.SampledFrom(all).Draw(rt, "value")
			if spelled(path, value) && !unspoken(path, value, rules) {
				set(document, path, value)
			}
		}
		data, err := json.Marshal(document)
		if err != nil {
			rt.Fatal(err)
		}
		schema, validator := verdicts(t, compiled[i], rules, data)
		if (schema == nil) != (validator == nil) {
			rt.Fatalf("%+v: %s\nschema:    %v\nvalidator: %v", rules, data, schema, validator)
		}
	})
}

// TestSchemaCannotSay holds what the documentation of Schema excepts.
func TestSchemaCannotSay(t *testing.T) {
	t.Parallel()
	const spec = `"name":"a","spec":{"type":"command","process_target":"a"`
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for name, test := range map[string]struct{ document, want string }{
		"twice":           {`{"name":"b",` + spec + `}}`, "name: given twice"},
		"deep":            {`{` + spec + `},"metadata":{"a":` + deep + `}}`, "metadata.a" + strings.Repeat("[0]", 62) + ": nested more than 64 deep"},
		"half a pair":     {`{` + spec + `,"working_dir":"\ud800"}}`, "spec.working_dir: holds half of a UTF-16 pair, which is no text"},
		"fraction of 0":   {`{` + spec + `,"limits":{"max_fds":3.0}}}`, "spec.limits.max_fds: want a whole number, got 3.0"},
		"number too long": {`{` + spec + `,"limits":{"max_fds":9223372036854775808}}}`, "spec.limits.max_fds: 9223372036854775808 is out of range"},
		"tid too great":   {`{` + spec + `},"metadata":{"parent_tid":"9999999999999999999"}}`, "metadata.parent_tid: must be a tid of 19 digits, as a string"},
	} {
		schema, validator := verdicts(t, compile(t, Rules{Template: true}), Rules{Template: true}, []byte(test.document))
		if schema != nil || text(validator) != test.want {
			t.Errorf("%s: the schema says %v, the validator %v, want nil and %s", name, schema, validator, test.want)
		}
	}
	for _, document := range []string{
		`{` + spec + `},"tid":null}`, `{` + spec + `},"state":null}`, `{` + spec + `,"weft_context":""}}`,
	} {
		schema, validator := verdicts(t, compile(t, Rules{Template: true}), Rules{Template: true}, []byte(document))
		if _, refused := errors.AsType[*jsonschema.ValidationError](schema); !refused || validator != nil {
			t.Errorf("%s: the schema says %v, the validator %v, want an error and nil", document, schema, validator)
		}
	}
}

// TestFormatIsComplete compares the table with the structs: an entry for a
// field that there is not would be a rule that nobody checks.
func TestFormatIsComplete(t *testing.T) {
	t.Parallel()
	fields := make(map[string]bool)
	for _, path := range paths(specs.shape(), nil) {
		if at := strings.Join(path, "."); path[len(path)-1] != "unknown" {
			fields[at] = true
			if format()[at].about == "" {
				t.Errorf("format says nothing about %s", at)
			}
		}
	}
	for at := range format() {
		if !fields[at] {
			t.Errorf("format has an entry for %s, which is no field", at)
		}
	}
}

// TestSchemaDefaults compares the defaults that a schema names with those that
// a task gets.
func TestSchemaDefaults(t *testing.T) {
	t.Parallel()
	s := command()
	s.Retry, s.Concurrency = &RetryPolicy{}, &Concurrency{Key: "k"} // the records that are not there by default
	resolved, err := json.Marshal(s.Resolve(testTID, "/p"))
	if err != nil {
		t.Fatal(err)
	}
	var task jsonObject
	if err := json.Unmarshal(resolved, &task); err != nil {
		t.Fatal(err)
	}
	for at, e := range format() {
		if e.byDefault == nil {
			continue
		}
		want, err := json.Marshal(e.byDefault)
		if err != nil {
			t.Fatal(err)
		}
		var got any = task
		for name := range strings.SplitSeq(at, ".") {
			got = got.(jsonObject)[name]
		}
		gotJSON, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		// What encodes to nothing is its zero value.
		if string(gotJSON) != string(want) && !(got == nil && (string(want) == "false" || string(want) == "0")) {
			t.Errorf("%s is %s in a task, and %s by the schema", at, gotJSON, want)
		}
	}
}

// The pattern and the function must mean the same white space.
func TestFilledPattern(t *testing.T) {
	t.Parallel()
	filled := regexp.MustCompile(filledPattern)
	for r := range rune(0x10000) { // there is no white space beyond
		if filled.MatchString(string(r)) == unicode.IsSpace(r) {
			t.Errorf("U+%04X: the pattern takes it for space, the validator does not, or the other way round", r)
		}
	}
}

// The fields are in the order of the format, and said what they are.
func TestSchemaText(t *testing.T) {
	t.Parallel()
	got := string(Schema(Rules{Template: true}))
	want := `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Weft TaskSpec",
  "description": "One task: what it runs, and how.",
  "type": "object",
  "properties": {
    "version": {
      "description": "The version of this format.",
      "type": [
        "string",
        "null"
      ],
      "default": "1.0",
      "anyOf": [
        {
          "pattern": "^[0-9]+\\.[0-9]+$"
        },
        {
          "maxLength": 0
        }
      ]
    },
    "name": {
      "description": "What the task is called in lists, events and process titles.",
      "type": "string",
      "minLength": 1,
      "maxLength": 200,
      "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$"
    },
`
	if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
		t.Errorf("the schema begins otherwise (-want +got):\n%s", diff)
	}
}
