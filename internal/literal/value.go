package literal

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Value is the value that the text of an argument stands for: what it is
// in JSON, or, if it is no JSON, the text.
func Value(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	// The decoder would replace what is not UTF-8.
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) || d.Decode(&v) != nil {
		return text
	}
	return v
}
