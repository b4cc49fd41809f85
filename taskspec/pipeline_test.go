package taskspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const wholePipeline = `{
	"name": "etl", "description": "Loads what was extracted.",
	"stages": [
		{"task": "extract"},
		{"name": "clean", "task": "transform",
			"defaults": {"input": {"a": [1]}, "args": ["-v", 3], "keyword_args": {"width": 100}, "env": {"A": "1"}},
			"io_overrides": {"inputs": {"inbox": "raw.data"}, "outputs": {"outbox": "clean.data"}}},
		{"task": "load", "defaults": {"input": ""}}
	]
}`

func TestDecodePipeline(t *testing.T) {
	t.Parallel()
	p, err := DecodePipeline([]byte(wholePipeline))
	if err != nil {
		t.Fatal(err)
	}
	var reference Pipeline
	d := json.NewDecoder(strings.NewReader(wholePipeline))
	d.UseNumber()
	if err := d.Decode(&reference); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&reference, p); diff != "" {
		t.Errorf("encoding/json reads another (-want +got):\n%s", diff)
	}
	if p.Stages[0].StageName() != "extract" || p.Stages[1].StageName() != "clean" {
		t.Errorf("names: %q, %q", p.Stages[0].StageName(), p.Stages[1].StageName())
	}
	if p.Stages[0].Defaults.Input != nil || p.Stages[2].Defaults.Input != "" {
		t.Errorf("inputs: %#v, %#v", p.Stages[0].Defaults.Input, p.Stages[2].Defaults.Input)
	}
}

func TestPipelineProblems(t *testing.T) {
	t.Parallel()
	for document, want := range map[string][]string{
		`{}`:                                   {"name: required", "stages: required: at least one stage"},
		`[]`:                                   {"want an object, got a list"},
		`{`:                                    {"not valid JSON: unexpected end of JSON input (byte 1)"},
		`{"name":"p","stages":[]}`:             {"stages: required: at least one stage"},
		`{"name":"p","stages":[null,3]}`:       {"stages[0]: want an object, got null", "stages[1]: want an object, got a number"},
		`{"name":"p","stages":[{"tsk":"a"}]}`:  {"stages[0].tsk: unknown field", "stages[0].task: required: the name of a stored spec"},
		`{"name":"p","stages":[{"Task":"a"}]}`: {`stages[0].Task: unknown field (did you mean "task"?)`, "stages[0].task: required: the name of a stored spec"},
		`{"name":"p","stages":[{"task":"a\nb"}]}`:                      {"stages[0].task: must not hold control characters"},
		`{"name":"p","stages":[{"task":"a"}],"x":1}`:                   {"x: unknown field"},
		`{"name":"p","stages":[{"task":"a"},{"task":"b","name":"a"}]}`: {`stages[1].name: is that of another stage, "a": give it one of its own`},
		`{"name":"p","stages":[{"task":"a","defaults":{"env":{"":"x"},"args":{}}}]}`: {
			"stages[0].defaults.args: want a list, got an object",
			`stages[0].defaults.env[""]: a variable's name must be valid UTF-8, not empty, without "=" and NUL characters`,
		},
		`{"name":"p","stages":[{"task":"a","io_overrides":{"inputs":{"reserved":"q"}}}]}`: {"stages[0].io_overrides.inputs.reserved: the reserved queue cannot be overridden"},
		`{"name":"p","stages":[` + strings.Repeat(`{},`, MaxStages) + `{}]}`:              nil,
	} {
		_, err := DecodePipeline([]byte(document))
		invalid, ok := errors.AsType[*ValidationError](err)
		if !ok {
			t.Errorf("%.80s: %v", document, err)
			continue
		}
		var got []string
		for _, p := range invalid.Problems {
			got = append(got, p.String())
		}
		if want != nil && !cmp.Equal(got, want) {
			t.Errorf("%.80s: %q, want %q", document, got, want)
		}
	}
}

func TestStageOver(t *testing.T) {
	t.Parallel()
	task := &Spec{Name: "resize", Work: Work{
		Type: KindFunction, FunctionTarget: "images.resize", Args: []any{"a"},
		KeywordArgs: map[string]any{"width": 1, "height": 2}, Env: map[string]string{"A": "1"},
	}, IO: IO{Inputs: map[string]string{"inbox": "raw"}}}
	before, _ := json.Marshal(task)
	stage := PipelineStage{Task: "resize", Name: "small", Defaults: Defaults{
		Args: []any{"b"}, KeywordArgs: map[string]any{"width": 3}, Env: map[string]string{"B": "2"},
	}, IO: IO{Inputs: map[string]string{"inbox": "other"}, Outputs: map[string]string{"outbox": "out"}}}
	got := stage.Over(task)
	want := &Spec{Name: "small", Work: Work{
		Type: KindFunction, FunctionTarget: "images.resize", Args: []any{"a", "b"},
		KeywordArgs: map[string]any{"width": 3, "height": 2}, Env: map[string]string{"A": "1", "B": "2"},
	}, IO: IO{Inputs: map[string]string{"inbox": "other"}, Outputs: map[string]string{"outbox": "out"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.KeywordArgs["width"], got.Args[0], got.Env["A"] = 9, "z", "9"
	if after, _ := json.Marshal(task); !bytes.Equal(before, after) {
		t.Errorf("the task was changed: %s", after)
	}
}

func TestStageProblems(t *testing.T) {
	t.Parallel()
	s := &Spec{Work: Work{Interactive: true, TTY: true, Persistent: true, StreamOutput: true, Key: "k"}}
	var got []string
	for _, p := range s.StageProblems() {
		got = append(got, p.Path)
	}
	if want := []string{"spec.interactive", "spec.tty", "spec.persistent", "spec.key"}; !cmp.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if p := (&Spec{}).StageProblems(); p != nil {
		t.Errorf("%v", p)
	}
}

// The schema accepts what the checks accept, but for what it says that it cannot.
func TestPipelineSchema(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, PipelineSchema())
	var base jsonObject
	if err := json.Unmarshal([]byte(wholePipeline), &base); err != nil {
		t.Fatal(err)
	}
	stageOf := func(document jsonObject) jsonObject { return document["stages"].([]any)[1].(jsonObject) }
	places := map[string]func(jsonObject) jsonObject{
		"":             func(d jsonObject) jsonObject { return d },
		"stage":        stageOf,
		"defaults":     func(d jsonObject) jsonObject { return stageOf(d)["defaults"].(jsonObject) },
		"io_overrides": func(d jsonObject) jsonObject { return stageOf(d)["io_overrides"].(jsonObject) },
	}
	for place, at := range places {
		for field := range at(base) {
			for _, value := range append(values(), "extract") {
				if place == "" && field == "stages" && reflect.DeepEqual(value, []any{}) {
					continue // missing is what it is to the checks; both refuse it
				}
				var document jsonObject
				if err := json.Unmarshal([]byte(wholePipeline), &document); err != nil {
					t.Fatal(err)
				}
				if _, removed := value.(absent); removed {
					delete(at(document), field)
				} else {
					at(document)[field] = value
				}
				text, err := json.Marshal(document)
				if err != nil {
					t.Fatal(err)
				}
				instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				schema := s.Validate(instance)
				_, checks := DecodePipeline(text)
				twice := checks != nil && strings.Contains(checks.Error(), "is that of another stage")
				if (schema == nil) != (checks == nil) && !twice {
					t.Errorf("%s.%s = %.60v: schema %v, checks %v", place, field, value, schema, checks)
				}
			}
		}
	}
}

// FuzzDecodePipeline checks, for whatever is accepted, that encoding/json reads the
// same from it, and that it comes back from its own JSON as it was.
func FuzzDecodePipeline(f *testing.F) {
	f.Add([]byte(wholePipeline))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodePipeline(data)
		if err != nil {
			if _, ok := errors.AsType[*ValidationError](err); !ok || p != nil {
				t.Fatalf("DecodePipeline returned %v and a %T: %v", p, err, err)
			}
			return
		}
		var reference Pipeline
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&reference); err != nil || !reflect.DeepEqual(p, &reference) {
			t.Fatalf("DecodePipeline read %+v\nencoding/json read %+v, %v", p, reference, err)
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted: %v", err)
		}
		encoded, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodePipeline(encoded); err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%+v came back from %s as %+v, %v", p, encoded, again, err)
		}
		for i := range p.Stages {
			p.Stages[i].Over(&Spec{Name: "task"})
		}
	})
}
