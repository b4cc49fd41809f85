package tty

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestModes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		written, set, reset string
		alternate           bool
	}{
		"text":            {written: "hello\x1b[31mred\x1b[0m\r\n"},
		"other screen":    {"\x1b[?1049h", "\x1b[?1049h", "\x1b[?1049l\x1b[m", true},
		"and back":        {written: "\x1b[?1049h...\x1b[?1049l"},
		"several":         {"\x1b[?1002;1006h\x1b[?25l", "\x1b[?1002h\x1b[?1006h\x1b[?25l", "\x1b[?25h\x1b[?1006l\x1b[?1002l\x1b[m", false},
		"set as before":   {written: "\x1b[?25h\x1b[?2004l"},
		"twice":           {"\x1b[?2004h\x1b[?2004h", "\x1b[?2004h", "\x1b[?2004l\x1b[m", false},
		"unknown":         {written: "\x1b[?12h\x1b[?9999h\x1b[4h\x1b[?;h"},
		"keypad":          {"\x1b=", "\x1b=", "\x1b>\x1b[m", false},
		"keys":            {"\x1b[>4;2m", "\x1b[>4;2m", "\x1b[>4m\x1b[m", false},
		"keys, and back":  {written: "\x1b[>4;2m\x1b[>4;0m"},
		"keys, plain":     {written: "\x1b[>4;1m\x1b[>4m"},
		"full reset":      {written: "\x1b[?1049h\x1b=\x1bc"},
		"in a title":      {written: "\x1b]0;\x9b?1049h\a"},
		"broken off":      {"\x1b[?10\x1b[?1049h", "\x1b[?1049h", "\x1b[?1049l\x1b[m", true},
		"never ending":    {"\x1b]" + string(make([]byte, 200)) + "\x1b[?25l", "\x1b[?25l", "\x1b[?25h\x1b[m", false},
		"escape, the end": {written: "\x1b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m Modes
			_, _ = m.Write([]byte(test.written))
			if string(m.Set()) != test.set || string(m.Reset()) != test.reset || m.Alternate() != test.alternate {
				t.Errorf("set by %q, reset by %q, alternate %v", m.Set(), m.Reset(), m.Alternate())
			}
		})
	}
}

// TestModesInPieces cuts what is written anywhere, and applies what Set and
// Reset say.
func TestModesInPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{
			"text", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?1000;1006h", "\x1b=", "\x1b[>4;2m", "\x1b]0;title\a", "\x1b[31m", "\x1b(B",
		})).Draw(t, "parts")
		all := strings.Join(parts, "")
		var whole, pieces, again Modes
		_, _ = whole.Write([]byte(all))
		for rest := all; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			_, _ = pieces.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		_, _ = again.Write(whole.Set())
		if string(whole.Set()) != string(pieces.Set()) || string(whole.Set()) != string(again.Set()) {
			t.Fatalf("%q: at once %q, in pieces %q, again %q", all, whole.Set(), pieces.Set(), again.Set())
		}
		_, _ = again.Write(whole.Reset())
		if len(again.Set()) > 0 {
			t.Fatalf("%q: after %q there is left %q", all, whole.Reset(), again.Set())
		}
	})
}
