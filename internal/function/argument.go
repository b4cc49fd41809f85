package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"weft/internal/schema"
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
func argument(name string, input *schema.Schema, c taskspec.Call) (json.RawMessage, error) {
	value, err := document(name, input, c)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, refuse(name, "%v", err)
	}
	if problems := problemsOf(input, v, ""); len(problems) > 0 {
		return nil, &ArgumentError{name, problems}
	}
	return value, nil
}

// document returns the value, without validating it.
func document(name string, input *schema.Schema, c taskspec.Call) (json.RawMessage, error) {
	takesObject := slices.Contains(input.Type, "object")
	switch {
	case len(c.Args) > 1:
		return nil, refuse(name, "it takes one argument, or named ones; got %d", len(c.Args))
	case len(c.Args) == 1 && len(c.Kwargs) == 0:
		return c.Args[0], nil
	case len(c.Kwargs) == 0 && takesObject:
		return json.RawMessage("{}"), nil
	case len(c.Kwargs) == 0 && len(input.Type) == 0:
		return json.RawMessage("null"), nil
	case len(c.Kwargs) == 0:
		return nil, refuse(name, "its argument is missing: want %s", wanted(input))
	case len(input.Type) > 0 && !takesObject:
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

// decode decodes one value.
func decode(name string, value json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
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

// problemsOf says, in terms of the arguments, why a schema does not accept a value. It knows
// the keywords that [schema.Of] uses. path leads to the value.
func problemsOf(s *schema.Schema, v any, path string) (problems []string) {
	say := func(path, format string, args ...any) {
		problems = append(problems, quoted(path)+": "+fmt.Sprintf(format, args...))
	}
	kind := kindOf(v)
	accepts := func(wanted string) bool { return wanted == kind || wanted == "number" && kind == "integer" }
	if len(s.Type) > 0 && !slices.ContainsFunc(s.Type, accepts) {
		say(path, "got %s, want %s", kind, wanted(s))
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
				problems = append(problems, problemsOf(s.Items, elem, path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch property := s.Properties.Get(name); {
			case property != nil:
				problems = append(problems, problemsOf(property, v[name], below(path, name))...)
			case s.AdditionalProperties != nil && s.AdditionalProperties.Nothing:
				say(below(path, name), "unknown argument%s", choices(s))
			case s.AdditionalProperties != nil:
				problems = append(problems, problemsOf(s.AdditionalProperties, v[name], below(path, name))...)
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
func choices(s *schema.Schema) string {
	if len(s.Properties) == 0 {
		return "; it takes none"
	}
	var names []string
	for _, p := range s.Properties {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return "; there are " + strings.Join(names, ", ")
}

// wanted names the types that a schema accepts.
func wanted(s *schema.Schema) string {
	kinds := slices.DeleteFunc(slices.Clone(s.Type), func(kind string) bool { return kind == "null" })
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
		if v == math.Trunc(v) {
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
