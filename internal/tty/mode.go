package tty

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Modes tracks the modes that a program switches in its output to a terminal, so that
// another terminal can be brought into the same state, and one can be reset. The zero value
// is the initial state of a terminal.
//
// It tracks the modes that would disturb a person if they remained, or be missed: the
// alternate screen, the mouse, the cursor, pasting and keys.
type Modes struct {
	changed []string // the parameters of private modes that differ from the initial state, oldest first
	keys    string   // the level of xterm's modifyOtherKeys, if it is set
	keypad  bool     // sends codes of its own
	partial []byte   // an incomplete escape sequence
}

// alternate reports whether a mode shows the alternate screen, which has no history.
func alternate(mode string) bool { return mode == "47" || mode == "1047" || mode == "1049" }

// initial reports whether a mode is tracked, and whether it is set initially.
func initial(mode string) (set, followed bool) {
	switch mode {
	case "7", "25": // lines that wrap, and the cursor
		return true, true
	case "1", "1000", "1002", "1003", "1004", "1005", "1006", "1007", "1015", "2004", "2026":
		return false, true
	}
	return false, alternate(mode)
}

// maxSequence is an upper bound of the length of sequences that switch modes.
const maxSequence = 64

// Write tracks the output of a program. It never fails.
func (m *Modes) Write(p []byte) (int, error) {
	n := len(p)
	if len(m.partial) > 0 {
		p = append(m.partial, p...)
		m.partial = nil
	}
	for {
		i := bytes.IndexByte(p, '\x1b')
		if i < 0 {
			return n, nil
		}
		p = p[i:]
		length, whole := escape(p)
		if !whole {
			if len(p) <= maxSequence {
				m.partial = slices.Clone(p)
				return n, nil
			}
			length = 1
		}
		m.follow(string(p[:length]))
		p = p[length:]
	}
}

// follow applies one escape sequence.
func (m *Modes) follow(seq string) {
	switch {
	case seq == "\x1b=" || seq == "\x1b>":
		m.keypad = seq == "\x1b="
	case seq == "\x1bc": // a full reset
		*m = Modes{}
	case strings.HasPrefix(seq, "\x1b[?") && (seq[len(seq)-1] == 'h' || seq[len(seq)-1] == 'l'):
		for mode := range strings.SplitSeq(seq[3:len(seq)-1], ";") {
			m.set(mode, seq[len(seq)-1] == 'h')
		}
	case strings.HasPrefix(seq, "\x1b[>4") && seq[len(seq)-1] == 'm':
		if m.keys = strings.TrimPrefix(seq[4:len(seq)-1], ";"); m.keys == "0" {
			m.keys = ""
		}
	}
}

func (m *Modes) set(mode string, on bool) {
	first, followed := initial(mode)
	if !followed {
		return
	}
	m.changed = slices.DeleteFunc(m.changed, func(other string) bool { return other == mode })
	if on != first {
		m.changed = append(m.changed, mode)
	}
}

// Alternate reports whether the alternate screen is shown.
func (m *Modes) Alternate() bool {
	return slices.ContainsFunc(m.changed, alternate)
}

// Set returns the sequences that bring a terminal from its initial state into this one.
func (m *Modes) Set() []byte {
	var b bytes.Buffer
	for _, mode := range m.changed {
		set, _ := initial(mode)
		private(&b, mode, !set)
	}
	if m.keypad {
		b.WriteString("\x1b=")
	}
	if m.keys != "" {
		fmt.Fprintf(&b, "\x1b[>4;%sm", m.keys)
	}
	return b.Bytes()
}

// Reset returns the sequences that bring a terminal from this state to its initial one.
func (m *Modes) Reset() []byte {
	var b bytes.Buffer
	if m.keys != "" {
		b.WriteString("\x1b[>4m")
	}
	if m.keypad {
		b.WriteString("\x1b>")
	}
	for _, mode := range slices.Backward(m.changed) {
		set, _ := initial(mode)
		private(&b, mode, set)
	}
	if b.Len() > 0 {
		b.WriteString("\x1b[m") // colors
	}
	return b.Bytes()
}

// private switches a private mode.
func private(b *bytes.Buffer, mode string, on bool) {
	final := 'l'
	if on {
		final = 'h'
	}
	fmt.Fprintf(b, "\x1b[?%s%c", mode, final)
}
