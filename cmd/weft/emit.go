package main

import (
	"weft/internal/jsonobject"
)

// emit prints the answer of a command: value with --json, else a text.
func (a *app) emit(value any, format string, args ...any) error {
	if a.JSON {
		return a.printJSON(value)
	}
	a.stdout.Printf(format, args...)
	return a.stdout.err
}

// printJSON prints v as one line.
func (a *app) printJSON(v any) error {
	line, err := jsonobject.Encode(v)
	if err != nil {
		return err
	}
	a.stdout.Printf("%s\n", a.shownJSON(line))
	return a.stdout.err
}

// object is an object in JSON.
func object(fields ...any) *jsonobject.Object { return jsonobject.New(fields...) }
