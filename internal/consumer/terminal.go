package consumer

import (
	"slices"
	"strconv"
	"strings"

	"weft/internal/attempt"
	"weft/internal/tty"
)

// plainSize is the size of a terminal whose submitter has none: the size of the VT100.
var plainSize = tty.Size{Rows: 24, Cols: 80}

// window takes the initial size of a terminal out of an environment: LINES and COLUMNS of
// the submitter. They must not reach the command, for which they would hide every later
// size.
func window(env []string) (size tty.Size, rest []string) {
	size = plainSize
	if n, err := strconv.ParseUint(attempt.Lookup(env, "LINES"), 10, 16); err == nil && n > 0 {
		size.Rows = uint16(n)
	}
	if n, err := strconv.ParseUint(attempt.Lookup(env, "COLUMNS"), 10, 16); err == nil && n > 0 {
		size.Cols = uint16(n)
	}
	return size, slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		return strings.HasPrefix(entry, "LINES=") || strings.HasPrefix(entry, "COLUMNS=")
	})
}

// recent is how much of the output a client gets that attaches later than at the task's
// start.
const recent = 64 << 10

// fromLine returns latest from its first whole line on; start is its offset in the output.
// Output that is all one line is returned as it is.
func fromLine(latest []byte, start int64) []byte {
	if i := slices.Index(latest, '\n'); start > 0 && i >= 0 {
		return latest[i+1:]
	}
	return latest
}
