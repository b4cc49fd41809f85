package weft

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"unicode"

	"weft/taskspec"
)

// noInput is the work item of a task without input.
const noInput = "{}"

// stdinItem is the work item that gives a command this standard input.
func stdinItem(stdin []byte) (string, error) {
	if len(stdin) == 0 {
		return noInput, nil
	}
	item, err := json.Marshal(map[string]taskspec.RawString{"stdin": taskspec.RawString(stdin)})
	return string(item), err
}

// maxNameRunes is the longest name of a task.
const maxNameRunes = 200

// taskName is the name of a task that runs a command: the last part of its
// path, made fit to be one.
func taskName(command string) string {
	name := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, filepath.Base(command)))
	if len(name) == 0 {
		return "command" // of one whose name is no text
	}
	return string(name[:min(len(name), maxNameRunes)])
}
