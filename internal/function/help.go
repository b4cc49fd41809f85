package function

import (
	"encoding/json"
	"slices"
	"strings"

	"weft/internal/schema"
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
	s := new(schema.Schema)
	if d.Input == nil || json.Unmarshal(d.Input, s) != nil {
		return nil, "any arguments"
	}
	only := s.AdditionalProperties != nil && s.AdditionalProperties.Nothing
	switch {
	case slices.Equal(s.Type, schema.Types{"object"}) && s.Properties == nil && only:
		return nil, "" // struct{}
	case !slices.Contains(s.Type, "object") || s.Properties == nil:
		return nil, typeText(s)
	}
	for _, p := range s.Properties {
		named = append(named, Argument{p.Name, typeText(p.Schema), slices.Contains(s.Required, p.Name), p.Schema.Description})
	}
	return named, ""
}

// Value describes what a function returns.
func (d Description) Value() string {
	s := new(schema.Schema)
	if d.Output == nil || json.Unmarshal(d.Output, s) != nil {
		return "any value"
	}
	return typeText(s)
}

// typeText describes what a schema accepts.
func typeText(s *schema.Schema) string {
	kind := wanted(s)
	switch {
	case kind == "":
		return "any value"
	case kind == "array" && s.Items != nil:
		return "array of " + typeText(s.Items)
	case kind == "object" && s.Properties == nil && s.AdditionalProperties != nil && !s.AdditionalProperties.Nothing:
		return "object of " + typeText(s.AdditionalProperties)
	case s.ContentEncoding != "":
		return kind + " in " + s.ContentEncoding
	case s.Format != "":
		return kind + " (" + s.Format + ")"
	}
	return kind
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
