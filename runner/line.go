package runner

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// An entry is what one message in the inbox of an interactive task puts in.
type entry struct {
	text      []byte
	end       bool // nothing follows
	interrupt bool // SIGINT, after the text
}

// parseEntry reads a message: an object with nothing but "stdin" (text as it
// is, or in base64 if "encoding" says so), "close" and "interrupt" (true or
// false) is what it says. Every other body is a line; its end may be missing.
func parseEntry(body string) entry {
	var v struct {
		Stdin     string `json:"stdin"`
		Encoding  string `json:"encoding"`
		Close     bool   `json:"close"`
		Interrupt bool   `json:"interrupt"`
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
	e := entry{text: []byte(v.Stdin), end: v.Close, interrupt: v.Interrupt}
	switch v.Encoding {
	case "":
	case "base64":
		text, err := base64.StdEncoding.DecodeString(v.Stdin)
		if err != nil {
			return line
		}
		e.text = text
	default:
		return line
	}
	return e
}
