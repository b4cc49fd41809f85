package taskspec

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Item is what a command works on: one message of its inbox. The zero value is
// an item with nothing in it.
type Item struct {
	// Stdin is the command's standard input.
	Stdin string
	// Args are appended to the spec's, see [Work.Argv].
	Args []string
}

// CommandItem reads the message body of a command. A JSON object with no keys
// but "stdin" (a string) and "args" (a list of strings and numbers) is what it
// says, where a string of any bytes may be a [RawString]; an empty one is empty input. Every other body is text and becomes
// standard input unchanged, JSON or not. An object with the right keys and the
// wrong values is a mistake, not text: the error holds a *[ValidationError].
func CommandItem(body string) (Item, error) {
	if !mayBeItem(body) || !utf8.ValidString(body) || !json.Valid([]byte(body)) {
		return Item{Stdin: body}, nil
	}
	var stdin, args string
	var r report
	c := cursor{text: body}
	c.peek()
	c.pos++
	for c.more('}') {
		key := unquote(c.key())
		value := c.skip()
		var part *string
		switch key {
		case "stdin":
			part = &stdin
		case "args":
			part = &args
		default:
			return Item{Stdin: body}, nil
		}
		if *part != "" {
			r.add(key, "given twice")
		}
		*part = value
	}
	item := Item{Stdin: itemStdin(&r, stdin), Args: itemArgs(&r, args)}
	if err := r.err(); err != nil {
		return Item{}, fmt.Errorf("read work item: %w", err)
	}
	return item, nil
}

// mayBeItem reports whether body begins as an item does. It saves a large
// document that is meant for the command the cost of being parsed here.
func mayBeItem(body string) bool {
	const space = " \t\r\n"
	rest, ok := strings.CutPrefix(strings.TrimLeft(body, space), "{")
	rest = strings.TrimLeft(rest, space)
	for _, start := range []string{"}", `"s`, `"a`, `"\`} { // the last: an escape
		if ok && strings.HasPrefix(rest, start) {
			return true
		}
	}
	return false
}

// itemStdin returns the text of the stdin of an item, which is "" where it has
// none.
func itemStdin(r *report, value string) string {
	if value == "" {
		return ""
	}
	text, ok := itemText(r, "stdin", value)
	if !ok {
		r.add("stdin", "want "+aRawString)
	}
	return text
}

// itemArgs returns the args of an item, nil where it has none.
func itemArgs(r *report, value string) []string {
	if value == "" {
		return nil
	}
	if value[0] != '[' {
		r.add("args", "want a list of strings and numbers")
		return nil
	}
	args := []string{}
	c := cursor{text: value, pos: 1}
	for c.more(']') {
		path := element("args", len(args))
		value := c.skip()
		text, ok := itemText(r, path, value)
		switch {
		case !ok && isNumber(value[0]):
			text = value
		case !ok:
			r.add(path, "want a string or a number")
		case !osText(text):
			r.add(path, notOSText)
		}
		args = append(args, text)
	}
	return args
}

// itemText returns the text of a [RawString], and false for any other value.
func itemText(r *report, path, value string) (string, bool) {
	switch value[0] {
	case '"':
	case '{':
		var object any
		_ = json.Unmarshal([]byte(value), &object) // it is valid
		return rawText(object)
	default:
		return "", false
	}
	if loneSurrogate(value) {
		r.add(path, halfPair)
	}
	return unquote(value), true
}
