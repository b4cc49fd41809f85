package function

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// typesOfTests are types whose schemas are compared with what others make of
// them.
func typesOfTests() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[image](), reflect.TypeFor[*size](), reflect.TypeFor[tree](), reflect.TypeFor[embedding](),
		reflect.TypeFor[[]int](), reflect.TypeFor[[2]int8](), reflect.TypeFor[map[string]uint16](), reflect.TypeFor[any](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[*string](), reflect.TypeFor[[]byte](), reflect.TypeFor[quotedNumber](),
		reflect.TypeFor[struct {
			size
			Width string `json:"width"`
		}](), // twice the same name
		reflect.TypeFor[struct {
			C chan int
			F func() `json:",omitempty"`
		}](),
	}
}

// FuzzSchema shows any value to each schema and to another implementation of
// JSON Schema, which must agree; what encoding/json makes of a value of the type
// both must accept.
func FuzzSchema(f *testing.F) {
	for _, text := range []string{`{"path":"a","size":{"width":1},"tags":null,"level":256}`, `[1,2]`, `[1,1000]`, `{"a":-1}`, `{"a":65535.5}`, `1e400`, `null`, `"x"`,
		`{"width":1,"tree":{"name":"b","children":[{"name":2}]}}`, `{"n":"1"}`, `{"width":1}`, `{"width":1.0,"height":null}`, `{}`} {
		f.Add(text)
	}
	var schemas []*schema
	var judges []*jsonschema.Schema
	for i, t := range typesOfTests() {
		s := schemaOf(t)
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.text()))
		if err != nil {
			f.Fatalf("%s: %v", s.text(), err)
		}
		c := jsonschema.NewCompiler()
		name := "mem:///" + string(rune('a'+i))
		if err := c.AddResource(name, document); err != nil {
			f.Fatal(err)
		}
		judge, err := c.Compile(name)
		if err != nil {
			f.Fatalf("%s: %v", s.text(), err)
		}
		again, err := readSchema(s.text())
		if err != nil || !bytes.Equal(again.text(), s.text()) {
			f.Fatalf("%s came back as %s, %v", s.text(), again.text(), err)
		}
		schemas, judges = append(schemas, again), append(judges, judge)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		for i, of := range typesOfTests() {
			problems, judged := check(schemas[i], v, ""), judges[i].Validate(v)
			if (len(problems) == 0) != (judged == nil) {
				t.Errorf("%v: %s: %q, the other says %v", of, text, problems, judged)
			}
			made := reflect.New(of)
			if json.Unmarshal([]byte(text), made.Interface()) != nil {
				continue
			}
			written, err := json.Marshal(made.Interface())
			if err != nil {
				continue // it has a channel
			}
			if json.Unmarshal(written, &v) == nil {
				if problems := check(schemas[i], v, ""); len(problems) > 0 {
					t.Errorf("%v: its own %s is not accepted: %q", of, written, problems)
				}
			}
			if json.Unmarshal([]byte(text), &v) != nil {
				t.Fatal("unreachable")
			}
		}
	})
}
