package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"weft/taskspec"
)

// An ArgumentError says why a function cannot be called so.
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

// argument makes of a call the one value that a function with this input takes:
// its one argument, or an object of the named ones, or both laid over each other.
func argument(name string, input *schema, c taskspec.Call) (json.RawMessage, error) {
	value, err := document(name, input, c)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, refuse(name, "%v", err)
	}
	if problems := check(input, v, ""); len(problems) > 0 {
		return nil, &ArgumentError{name, problems}
	}
	return value, nil
}

// document is the value, whether or not the function takes it.
func document(name string, input *schema, c taskspec.Call) (json.RawMessage, error) {
	takesObject := slices.Contains(input.Types, "object")
	switch {
	case len(c.Args) > 1:
		return nil, refuse(name, "it takes one argument, or named ones; got %d", len(c.Args))
	case len(c.Args) == 1 && len(c.Kwargs) == 0:
		return c.Args[0], nil
	case len(c.Kwargs) == 0 && takesObject:
		return json.RawMessage("{}"), nil
	case len(c.Kwargs) == 0 && len(input.Types) == 0:
		return json.RawMessage("null"), nil
	case len(c.Kwargs) == 0:
		return nil, refuse(name, "its argument is missing: want %s", wanted(input))
	case len(input.Types) > 0 && !takesObject:
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
