// Package title sets what process listings show of a Weft process, such as
//
//	weft-shop-1234567890:nightly-report:running
//
// A process may overwrite its own argv[0], which is what ps, top and pgrep -f
// show. There is only as much room as the first name took; so the parent makes
// room by starting the process with [Pad] at the end of argv[0]. A process that
// was not started so, as the program of a host, keeps its own name.
package title

import (
	"path/filepath"
	"strings"
)

// Lengths of the parts of a title, in characters, each of which is one byte.
const (
	contextLen = 8
	tidLen     = 20 // a whole TID has 19
	nameLen    = 20
	statusLen  = 16 // the longest, "completed", has 9
	detailsLen = 15
)

// tailLen is how many bytes at the end of argv[0] never hold text. Set knows a
// padded argv[0] by them, the second time too. No program is called so by
// chance.
const tailLen = 16

// Room is the number of spaces that a parent appends to argv[0]: enough for the
// longest title that [Format] makes, whatever the name before them is, and the
// tail by which [Set] knows that it may write.
const Room = len("weft--:::") + contextLen + tidLen + nameLen + statusLen + detailsLen + tailLen

// Pad returns what a parent appends to argv[0] of a process that is to have a
// title: [Room] spaces.
func Pad() string {
	return strings.Repeat(" ", Room)
}

// Format returns the title weft-{context}-{tid}:{name}:{status}[:details].
// The context is the first 8 characters of the last element of contextRoot that
// are in [A-Za-z0-9_-], or "proj" if none is. The name is cut to 20 characters
// and is "task" if empty; details are cut to 15. An empty shortTID is left out
// with its dash. Whatever could mislead a reader of the title (separators,
// spaces, control characters, anything but plain ASCII) becomes "_".
func Format(contextRoot, shortTID, name, status, details string) string {
	var context strings.Builder
	for _, r := range filepath.Base(contextRoot) {
		if context.Len() < contextLen && (alphanumeric(r) || r == '_' || r == '-') {
			context.WriteRune(r)
		}
	}
	if context.Len() == 0 {
		context.WriteString("proj")
	}
	title := "weft-" + context.String()
	if shortTID = plain(shortTID, tidLen); shortTID != "" {
		title += "-" + shortTID
	}
	if name = plain(name, nameLen); name == "" {
		name = "task"
	}
	title += ":" + name + ":" + plain(status, statusLen)
	if details = plain(details, detailsLen); details != "" {
		title += ":" + details
	}
	return title
}

// plain returns the first characters of s without surrounding space, with "_"
// for each that is not harmless.
func plain(s string, length int) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(s) {
		if b.Len() == length {
			break
		}
		if !alphanumeric(r) && !strings.ContainsRune("-_.,+=%@/", r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
