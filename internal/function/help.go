package function

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// An Argument is a named argument of a function.
type Argument struct {
	Name        string
	Type        string // in words: "integer", "array of string"
	Required    bool
	Description string
}

// Arguments returns the named arguments of a function in the order of its fields, or else a
// description of its one argument; the other result is empty.
func (d Description) Arguments() (named []Argument, one string) {
	s := new(jsonschema.Schema)
	if d.Input == nil || json.Unmarshal(d.Input, s) != nil {
		return nil, "any arguments"
	}
	if !slices.Contains(kindsOf(s), "object") || s.Properties == nil {
		if len(kindsOf(s)) == 1 && s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
			return nil, "" // struct{}
		}
		return nil, typeText(s)
	}
	for _, name := range propertyOrder(d.Input) {
		if p := s.Properties[name]; p != nil {
			named = append(named, Argument{name, typeText(p), slices.Contains(s.Required, name), p.Description})
		}
	}
	return named, ""
}

// Value describes what a function returns.
func (d Description) Value() string {
	s := new(jsonschema.Schema)
	if d.Output == nil || json.Unmarshal(d.Output, s) != nil {
		return "any value"
	}
	return typeText(s)
}

// typeText describes what a schema accepts.
func typeText(s *jsonschema.Schema) string {
	kind := wanted(s)
	switch {
	case kind == "":
		return "any value"
	case kind == "array" && s.Items != nil:
		return "array of " + typeText(s.Items)
	case kind == "object" && s.Properties == nil && s.AdditionalProperties != nil && s.AdditionalProperties.Not == nil:
		return "object of " + typeText(s.AdditionalProperties)
	case s.ContentEncoding != "":
		return kind + " in " + s.ContentEncoding
	case s.Format != "":
		return kind + " (" + s.Format + ")"
	}
	return kind
}

// propertyOrder returns the names of a schema's properties in the order of the text.
func propertyOrder(schema json.RawMessage) (names []string) {
	var fields struct {
		Properties json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(schema, &fields) != nil || fields.Properties == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(fields.Properties))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var skipped json.RawMessage
		if err != nil || !ok || d.Decode(&skipped) != nil {
			return names
		}
		names = append(names, name)
	}
	return names
}

// Example returns what a shell user types after the function's name, for example "--kw
// path=STRING [--kw crop=BOOLEAN]".
func (d Description) Example() string {
	named, one := d.Arguments()
	var words []string
	for _, a := range named {
		kind, _, _ := strings.Cut(a.Type, " ")
		word := "--kw " + a.Name + "=" + strings.ToUpper(kind)
		if !a.Required {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	switch {
	case d.Input == nil:
		return "[--arg VALUE]... [--kw NAME=VALUE]..."
	case one != "":
		kind, _, _ := strings.Cut(one, " ")
		return "--arg " + strings.ToUpper(kind)
	}
	return strings.Join(words, " ")
}
