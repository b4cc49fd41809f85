package tty

import (
	"bytes"
	"strings"
)

// Quiet returns output without what asks the terminal for an answer: shown a
// second time it would be answered a second time, and the program would take
// the answers for keys that were pressed.
func Quiet(output []byte) []byte {
	var quiet []byte
	for {
		i := bytes.IndexAny(output, "\x1b\x05")
		if i < 0 {
			return append(quiet, output...)
		}
		quiet, output = append(quiet, output[:i]...), output[i:]
		length := 1 // of ENQ
		if output[0] == '\x1b' {
			var whole bool
			if length, whole = escape(output); !whole {
				return append(quiet, output...) // its rest follows
			}
			if seq := string(output[:length]); !asks(seq) {
				quiet = append(quiet, seq...)
			}
		}
		output = output[length:]
	}
}

// asks reports whether a terminal answers an escape sequence.
func asks(seq string) bool {
	if seq == "\x1bZ" { // who are you, as it was asked once
		return true
	}
	if len(seq) < 3 {
		return false
	}
	body, final := seq[2:len(seq)-1], seq[len(seq)-1]
	switch seq[1] {
	case '[':
		switch final {
		case 'c': // who are you
			return true
		case 'n': // where is the cursor, are you well
			return !strings.HasPrefix(body, ">")
		case 'p': // how does a mode stand
			return strings.HasSuffix(body, "$")
		case 'q': // which version are you
			return strings.HasPrefix(body, ">")
		case 't': // what about the window
			first, _, _ := strings.Cut(body, ";")
			return len(first) == 2 && (first[0] == '1' || first == "20" || first == "21")
		case 'u': // how are keys encoded
			return strings.HasPrefix(body, "?")
		case 'x': // how is the line
			return true
		}
	case ']': // which color, what is in the clipboard
		return strings.HasSuffix(strings.TrimSuffix(body, "\x1b"), ";?")
	case 'P': // which setting, which capability
		return strings.HasPrefix(body, "$q") || strings.HasPrefix(body, "+q")
	}
	return false
}

// escape returns the length of the escape sequence that p begins with, and
// whether all of it is there. What breaks off in the middle of a sequence is
// whole: the terminal goes on with what comes then.
func escape(p []byte) (length int, whole bool) {
	if len(p) < 2 {
		return len(p), false
	}
	switch p[1] {
	case '[':
		for i, c := range p[2:] {
			switch {
			case c >= 0x40 && c <= 0x7e:
				return i + 3, true
			case c < 0x20 || c > 0x7e:
				return i + 2, true
			}
		}
		return len(p), false
	case ']', 'P', '_', '^', 'X': // text, up to its terminator
		for i := 2; i < len(p); i++ {
			switch {
			case p[i] == '\a' && p[1] == ']':
				return i + 1, true
			case p[i] == '\x1b' && i+1 == len(p):
				return len(p), false
			case p[i] == '\x1b' && p[i+1] == '\\':
				return i + 2, true
			case p[i] == '\x1b':
				return i, true
			}
		}
		return len(p), false
	}
	for i, c := range p[1:] {
		if c < 0x20 || c > 0x2f {
			return i + 2, true
		}
	}
	return len(p), false
}
