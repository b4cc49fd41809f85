package main

import (
	"strings"

	"github.com/rivo/uniseg"
)

// textWidth is how many columns of a terminal a text takes that has no control characters:
// a wide character takes two, and one that combines with the one before none.
func textWidth(text string) int {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}

// cutText returns as much of a text as fits into so many columns, with "…" at its end if
// that is not all. What is between \x1b and m sets a color and takes no room.
func cutText(text string, width int) string {
	if textWidth(withoutColor(text)) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	var b strings.Builder
	colored := false
	for room, state := width-1, -1; text != ""; {
		if color := leadingColor(text); color != "" {
			b.WriteString(color)
			colored = color != "\x1b[0m"
			text, state = text[len(color):], -1
			continue
		}
		var cluster string
		var columns int
		cluster, text, columns, state = uniseg.FirstGraphemeClusterInString(text, state)
		if columns > room {
			break
		}
		room -= columns
		b.WriteString(cluster)
	}
	b.WriteString("…")
	if colored {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// leadingColor is the sequence that sets a color with which the text begins, or nothing.
func leadingColor(text string) string {
	if !strings.HasPrefix(text, "\x1b[") {
		return ""
	}
	return text[:strings.IndexByte(text, 'm')+1]
}

func withoutColor(text string) string {
	if !strings.Contains(text, "\x1b") {
		return text
	}
	var b strings.Builder
	for text != "" {
		i := strings.Index(text, "\x1b[")
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		color := leadingColor(text)
		if color == "" {
			break
		}
		text = text[len(color):]
	}
	return b.String() + text
}
