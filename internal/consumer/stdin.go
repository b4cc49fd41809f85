package consumer

import (
	"encoding/json"
	"strings"

	"weft/taskspec"
)

// An stdinMessage is what one message in the inbox of an interactive task puts in.
type stdinMessage struct {
	text      []byte
	end       bool // nothing follows
	interrupt bool // SIGINT, after the text
}

// parseStdinMessage parses a message. An object with no other fields than "stdin" (text, or
// a [taskspec.RawString]), "close" and "interrupt" (booleans) sets these. Every other body
// is a line of text; a missing newline is added.
func parseStdinMessage(body string) stdinMessage {
	var v struct {
		Stdin     taskspec.RawString `json:"stdin"`
		Close     bool               `json:"close"`
		Interrupt bool               `json:"interrupt"`
	}
	line := stdinMessage{text: []byte(strings.TrimSuffix(body, "\n") + "\n")}
	if !strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "{") || !json.Valid([]byte(body)) {
		return line
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if dec.Decode(&v) != nil {
		return line
	}
	return stdinMessage{text: []byte(v.Stdin), end: v.Close, interrupt: v.Interrupt}
}
