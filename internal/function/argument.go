package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"weft/taskspec"
)

// An ArgumentError says why a function cannot be called with the given arguments.
type ArgumentError struct {
	Function string
	Problems []string // each names an argument and what is wrong with it
}

// Error names the function and all problems.
func (e *ArgumentError) Error() string {
	return "function " + e.Function + ": " + strings.Join(e.Problems, "; ")
}

func refuse(name, format string, args ...any) error {
	return &ArgumentError{Function: name, Problems: []string{fmt.Sprintf(format, args...)}}
}

// argument turns the arguments of a call into the one value that a function with this input
// takes: its one argument, an object of the named ones, or both merged.
func argument(name string, input *jsonschema.Resolved, c taskspec.Call) (json.RawMessage, error) {
	value, err := document(name, input.Schema(), c)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, refuse(name, "%v", err)
	}
	if err := input.Validate(v); err != nil {
		// The library decides; its error names schemas, not arguments.
		if problems := explain(input.Schema(), v, ""); len(problems) > 0 {
			return nil, &ArgumentError{name, problems}
		}
		return nil, refuse(name, "%v", err)
	}
	return value, nil
}

// document returns the value, without validating it.
func document(name string, input *jsonschema.Schema, c taskspec.Call) (json.RawMessage, error) {
	takesObject := slices.Contains(kindsOf(input), "object")
	switch {
	case len(c.Args) > 1:
		return nil, refuse(name, "it takes one argument, or named ones; got %d", len(c.Args))
	case len(c.Args) == 1 && len(c.Kwargs) == 0:
		return c.Args[0], nil
	case len(c.Kwargs) == 0 && takesObject:
		return json.RawMessage("{}"), nil
	case len(c.Kwargs) == 0 && len(kindsOf(input)) == 0:
		return json.RawMessage("null"), nil
	case len(c.Kwargs) == 0:
		return nil, refuse(name, "its argument is missing: want %s", wanted(input))
	case len(kindsOf(input)) > 0 && !takesObject:
		return nil, refuse(name, "it takes no named arguments: want one %s", wanted(input))
	}
	fields := make(map[string]json.RawMessage)
	if len(c.Args) == 1 {
		if err := json.Unmarshal(c.Args[0], &fields); err != nil || fields == nil {
			return nil, refuse(name, "beside named arguments the other one must be an object")
		}
	}
	maps.Copy(fields, c.Kwargs)
	return json.Marshal(fields)
}

// decode decodes a value strictly.
func decode(name string, value json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if _, plain := into.(*any); plain {
		d.UseNumber()
	}
	err := d.Decode(into)
	if err == nil {
		_, err = d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return refuse(name, "more than one value in an argument")
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return refuse(name, "%s: got %s, want %s", quoted(t.Field), t.Value, t.Type)
	}
	return refuse(name, "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// explain describes, in terms of the arguments, why a schema does not accept a value; it
// returns nothing if it cannot. path leads to the value.
func explain(s *jsonschema.Schema, v any, path string) (problems []string) {
	say := func(path, format string, args ...any) {
		problems = append(problems, quoted(path)+": "+fmt.Sprintf(format, args...))
	}
	if kinds := kindsOf(s); len(kinds) > 0 && !slices.Contains(kinds, kindOf(v)) &&
		!(kindOf(v) == "integer" && slices.Contains(kinds, "number")) {
		say(path, "got %s, want %s", kindOf(v), wanted(s))
		return problems
	}
	switch v := v.(type) {
	case float64:
		if s.Minimum != nil && v < *s.Minimum {
			say(path, "must be at least %s", number(*s.Minimum))
		}
		if s.Maximum != nil && v > *s.Maximum {
			say(path, "must be at most %s", number(*s.Maximum))
		}
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			say(path, "has %d elements, which is too few or too many", len(v))
		}
		for i, elem := range v {
			if s.Items != nil {
				problems = append(problems, explain(s.Items, elem, path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch property := s.Properties[name]; {
			case property != nil:
				problems = append(problems, explain(property, v[name], below(path, name))...)
			case s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil: // false
				say(below(path, name), "unknown argument%s", choices(s))
			case s.AdditionalProperties != nil:
				problems = append(problems, explain(s.AdditionalProperties, v[name], below(path, name))...)
			}
		}
		for _, name := range s.Required {
			if _, there := v[name]; !there {
				say(below(path, name), "missing")
			}
		}
	}
	return problems
}

// choices lists the arguments of the schema.
func choices(s *jsonschema.Schema) string {
	if len(s.Properties) == 0 {
		return "; it takes none"
	}
	return "; there are " + strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", ")
}

// kindsOf returns the JSON types that a schema accepts, none if it accepts any.
func kindsOf(s *jsonschema.Schema) []string {
	if s.Type != "" {
		return []string{s.Type}
	}
	return s.Types
}

// wanted names the types that a schema accepts.
func wanted(s *jsonschema.Schema) string {
	kinds := slices.DeleteFunc(slices.Clone(kindsOf(s)), func(kind string) bool { return kind == "null" })
	return strings.Join(kinds, " or ")
}

// kindOf returns the JSON type of a decoded value.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
	}
	return "number"
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// quoted names the argument at path.
func quoted(path string) string {
	if path == "" {
		return "argument"
	}
	return strconv.Quote(path)
}

// below returns the path to a member of the object at path.
func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
