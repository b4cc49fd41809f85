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
	d := decoder{cursor: cursor{text: body}}
	d.peek()
	fields := make(map[string]any)
	for key := range d.members {
		if key != "stdin" && key != "args" {
			return Item{Stdin: body}, nil
		}
		if _, twice := fields[key]; twice {
			d.problem("given twice")
		}
		fields[key] = d.free()
	}
	r := &d.report
	var item Item
	if stdin, there := fields["stdin"]; there {
		var ok bool
		if item.Stdin, ok = rawText(stdin); !ok {
			r.add("stdin", "want "+aRawString)
		}
	}
	if args, there := fields["args"]; there {
		item.Args = itemArgs(r, args)
	}
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

// itemArgs returns the arguments of an item.
func itemArgs(r *report, value any) []string {
	list, ok := value.([]any)
	if !ok {
		r.add("args", "want a list of strings and numbers")
	}
	args := make([]string, len(list))
	for i, arg := range list {
		if args[i], ok = argText(arg); !ok {
			r.add(element("args", i), "want a string or a number")
		} else {
			checkOSText(r, element("args", i), args[i])
		}
	}
	return args
}
