package tty

import (
	"bytes"
	"strings"
)

// Quiet returns output without the queries to the terminal: shown again they would be
// answered again, and the program would take the answers for input.
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
				return append(quiet, output...) // the rest follows
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
	if seq == "\x1bZ" { // DECID
		return true
	}
	if len(seq) < 3 {
		return false
	}
	body, final := seq[2:len(seq)-1], seq[len(seq)-1]
	switch seq[1] {
	case '[':
		switch final {
		case 'c': // device attributes
			return true
		case 'n': // cursor position, status
			return !strings.HasPrefix(body, ">")
		case 'p': // state of a mode
			return strings.HasSuffix(body, "$")
		case 'q': // version of the terminal
			return strings.HasPrefix(body, ">")
		case 't': // the window
			first, _, _ := strings.Cut(body, ";")
			return len(first) == 2 && (first[0] == '1' || first == "20" || first == "21")
		case 'u': // encoding of keys
			return strings.HasPrefix(body, "?")
		case 'x': // terminal parameters
			return true
		}
	case ']': // colors, clipboard
		return strings.HasSuffix(strings.TrimSuffix(body, "\x1b"), ";?")
	case 'P': // settings, capabilities
		return strings.HasPrefix(body, "$q") || strings.HasPrefix(body, "+q")
	}
	return false
}

// escape returns the length of the escape sequence that p starts with, and whether it is
// complete. A sequence that is interrupted counts as complete: the terminal continues with
// what follows.
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
