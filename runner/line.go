package runner

import (
	"encoding/json"
	"strings"

	"weft/taskspec"
)

// An entry is what one message in the inbox of an interactive task puts in.
type entry struct {
	text      []byte
	end       bool // nothing follows
	interrupt bool // SIGINT, after the text
}

// parseEntry reads a message: an object with nothing but "stdin" (text, or a
// [taskspec.RawString]), "close" and "interrupt" (true or
// false) is what it says. Every other body is a line; its end may be missing.
func parseEntry(body string) entry {
	var v struct {
		Stdin     taskspec.RawString `json:"stdin"`
		Close     bool               `json:"close"`
		Interrupt bool               `json:"interrupt"`
	}
	line := entry{text: []byte(strings.TrimSuffix(body, "\n") + "\n")}
	if !strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "{") || !json.Valid([]byte(body)) {
		return line
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if dec.Decode(&v) != nil {
		return line
	}
	return entry{text: []byte(v.Stdin), end: v.Close, interrupt: v.Interrupt}
}
