package function

import (
	"slices"
	"strings"
)

// An Argument is one that a function takes by name.
type Argument struct {
	Name        string
	Type        string // in words: "integer", "array of string"
	Required    bool
	Description string
}

// Arguments returns what a function takes by name, in the order of the fields,
// and in words what its one argument is otherwise: one of the two is empty.
func (d Description) Arguments() (named []Argument, one string) {
	if d.Input == nil {
		return nil, "any arguments"
	}
	s, err := readSchema(d.Input)
	if err != nil || s.Properties == nil {
		return nil, typeText(s)
	}
	for _, p := range *s.Properties {
		named = append(named, Argument{p.name, typeText(&p.schema), slices.Contains(s.Required, p.name), p.Description})
	}
	return named, ""
}

// Value says in words what a function returns.
func (d Description) Value() string {
	if d.Output == nil {
		return "any value"
	}
	s, _ := readSchema(d.Output)
	return typeText(s)
}

// typeText says in words what a schema accepts.
func typeText(s *schema) string {
	if s == nil {
		return "any value"
	}
	kind := wanted(s)
	switch {
	case kind == "":
		return "any value"
	case kind == "array" && s.Items != nil:
		return "array of " + typeText(s.Items)
	case kind == "object" && s.Properties == nil && s.Others != nil:
		return "object of " + typeText(s.Others)
	case s.Encoding != "":
		return kind + " in " + s.Encoding
	case s.Format != "":
		return kind + " (" + s.Format + ")"
	}
	return kind
}

// Example is what a shell user types after the function's name, as in
// "--kw path=STRING [--kw crop=BOOLEAN]".
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
