package taskspec

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"
)

// Call is what a function is called with, each value as JSON. The zero value is
// a call without arguments.
type Call struct {
	Args   []json.RawMessage          `json:"args,omitempty"`
	Kwargs map[string]json.RawMessage `json:"kwargs,omitempty"`
}

// Call returns what a function is called with that works on the message body
// item. An object with no keys but "args" (a list) and "kwargs" (an object) is
// what it says: its args replace those of the spec, its kwargs lie over them. An
// empty body or object changes nothing. Every other body is the one argument:
// the value if it is JSON, else its text. An object with the right keys and the
// wrong values is a mistake: the error holds a *[ValidationError].
func (w Work) Call(item string) (Call, error) {
	c := Call{}
	for i, arg := range w.Args {
		value, err := json.Marshal(arg)
		if err != nil {
			return Call{}, fmt.Errorf("encode argument: %s: %w", element("spec.args", i), err)
		}
		c.Args = append(c.Args, value)
	}
	if len(w.KeywordArgs) > 0 {
		c.Kwargs = make(map[string]json.RawMessage, len(w.KeywordArgs))
	}
	for _, name := range sortedKeys(w.KeywordArgs) {
		value, err := json.Marshal(w.KeywordArgs[name])
		if err != nil {
			return Call{}, fmt.Errorf("encode argument: %s: %w", child("spec.keyword_args", name), err)
		}
		c.Kwargs[name] = value
	}
	return c.With(item)
}

// With is c as the work item changes it: see [Work.Call].
func (c Call) With(item string) (Call, error) {
	text := strings.TrimSpace(item)
	switch {
	case text == "":
		return c, nil
	case !utf8.ValidString(text) || !json.Valid([]byte(text)):
		value, err := json.Marshal(item)
		if err != nil {
			return Call{}, fmt.Errorf("read work item: %w", err)
		}
		c.Args = []json.RawMessage{value}
		return c, nil
	}
	args, kwargs, isCall := callParts(text)
	if !isCall {
		c.Args = []json.RawMessage{json.RawMessage(text)}
		return c, nil
	}
	var r report
	if args != "" {
		c.Args = nil // the array may be shared
		if json.Unmarshal([]byte(args), &c.Args) != nil || args == "null" {
			r.add("args", "want a list")
		}
	}
	var over map[string]json.RawMessage
	if kwargs != "" && json.Unmarshal([]byte(kwargs), &over) != nil || kwargs == "null" {
		r.add("kwargs", "want an object")
	}
	if err := r.err(); err != nil {
		return Call{}, fmt.Errorf("read work item: %w", err)
	}
	if len(over) > 0 {
		kwargs := maps.Clone(c.Kwargs)
		if kwargs == nil {
			kwargs = make(map[string]json.RawMessage, len(over))
		}
		maps.Copy(kwargs, over)
		c.Kwargs = kwargs
	}
	return c, nil
}

// callParts returns the values of "args" and "kwargs" of an object that has no
// other keys. Of a key that is there twice the last one counts, as everywhere in
// JSON that a function gets.
func callParts(text string) (args, kwargs string, ok bool) {
	if text[0] != '{' {
		return "", "", false
	}
	c := cursor{text: text, pos: 1}
	for c.more('}') {
		switch key := unquote(c.key()); key {
		case "args":
			args = c.skip()
		case "kwargs":
			kwargs = c.skip()
		default:
			return "", "", false
		}
	}
	return args, kwargs, true
}
