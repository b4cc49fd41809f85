package tty

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Modes follows in what a program writes to its terminal which modes it has
// switched, so that another terminal can be brought into the same state, and
// one can be brought back. The zero value is a terminal as it begins.
//
// It knows the modes that would be in a person's way if they stayed, or be
// missed: the other screen, the mouse, the cursor, pasting and keys.
type Modes struct {
	changed []string // the parameters of private modes that are not as they begin, oldest first
	keys    string   // the level of xterm's modifyOtherKeys, if it is set
	keypad  bool     // sends codes of its own
	partial []byte   // of an escape sequence, whose rest has not come yet
}

// alternate reports whether a mode shows the other screen, which has no history.
func alternate(mode string) bool { return mode == "47" || mode == "1047" || mode == "1049" }

// begins reports whether a mode is followed, and whether it is set in the
// beginning.
func begins(mode string) (set, followed bool) {
	switch mode {
	case "7", "25": // lines that wrap, and the cursor
		return true, true
	case "1", "1000", "1002", "1003", "1004", "1005", "1006", "1007", "1015", "2004", "2026":
		return false, true
	}
	return false, alternate(mode)
}

// maxSequence is longer than every sequence that switches modes.
const maxSequence = 64

// Write follows what a program writes. It never fails.
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

// follow takes one escape sequence.
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
	first, followed := begins(mode)
	if !followed {
		return
	}
	m.changed = slices.DeleteFunc(m.changed, func(other string) bool { return other == mode })
	if on != first {
		m.changed = append(m.changed, mode)
	}
}

// Alternate reports whether the other screen is shown.
func (m *Modes) Alternate() bool {
	return slices.ContainsFunc(m.changed, alternate)
}

// Set is what brings a terminal from its beginning into this state.
func (m *Modes) Set() []byte {
	var b bytes.Buffer
	for _, mode := range m.changed {
		set, _ := begins(mode)
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

// Reset is what brings a terminal back from this state to its beginning.
func (m *Modes) Reset() []byte {
	var b bytes.Buffer
	if m.keys != "" {
		b.WriteString("\x1b[>4m")
	}
	if m.keypad {
		b.WriteString("\x1b>")
	}
	for _, mode := range slices.Backward(m.changed) {
		set, _ := begins(mode)
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
