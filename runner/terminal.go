package runner

import (
	"slices"
	"strconv"
	"strings"

	"weft/internal/tty"
)

// plainSize is the size of a terminal whose submitter has none, that of the
// terminals all others come from.
var plainSize = tty.Size{Rows: 24, Cols: 80}

// window takes the size that a terminal has in the beginning out of an
// environment: LINES and COLUMNS, as the submitter had them. They must not
// reach the command, for which they would hide every later size.
func window(env []string) (size tty.Size, rest []string) {
	size = plainSize
	if n, err := strconv.ParseUint(lookup(env, "LINES"), 10, 16); err == nil && n > 0 {
		size.Rows = uint16(n)
	}
	if n, err := strconv.ParseUint(lookup(env, "COLUMNS"), 10, 16); err == nil && n > 0 {
		size.Cols = uint16(n)
	}
	return size, slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		return strings.HasPrefix(entry, "LINES=") || strings.HasPrefix(entry, "COLUMNS=")
	})
}

// recent is how much of its output a client sees that comes later than the
// task's beginning.
const recent = 64 << 10

// fromLine is where in the latest output, which begins at the offset start of
// all of it, the first whole line begins. What is all of one line is shown as
// it is.
func fromLine(latest []byte, start int64) []byte {
	if i := slices.Index(latest, '\n'); start > 0 && i >= 0 {
		return latest[i+1:]
	}
	return latest
}
