package main

import (
	"bytes"
	"testing"
)

// TestEscaper cuts each text in all places, which must not matter.
func TestEscaper(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		spell spelling
		want  string
	}{
		{"", escape, ""},
		{"plain äöü 漢字 👩‍🚀\tx\n", escape, "plain äöü 漢字 👩‍🚀\tx\n"},
		{"\x1b]0;t\a\x7f\x00\b", escape, `\x1b]0;t\a\x7f\x00\b`},
		{"\u0085\u009b2J", escape, `\u0085\u009b2J`},
		{"\u202a\u202e\u2066\u2069\u200e\u061c", escape, `\u202a\u202e\u2066\u2069\u200e\u061c`},
		{"a\r\nb\rc\r\r\nd\r", escape, "a\nb\\rc\\r\nd\\r"},
		{"\x9b2J\xff\xc3(\xe2\x82", escape, `\x9b2J\xff\xc3(\xe2\x82`},
		{"\ufffd", escape, "\ufffd"}, // the character that stands for what is none, written as itself
		{`{"a":"` + "\u009b\u202e\x7fä" + `\n"}` + "\n", escapeJSON, `{"a":"\u009b\u202e\u007fä\n"}` + "\n"},
		{"\x1b[2J\r\nb\r\x9b\u202e", passed, "\x1b[2J\nb\r\x9b\u202e"},
	} {
		for cut := range len(test.text) + 1 {
			var b bytes.Buffer
			e := escaper{to: &b, spell: test.spell}
			for _, part := range []string{test.text[:cut], test.text[cut:]} {
				if n, err := e.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatalf("%q: wrote %d of %d, %v", test.text, n, len(part), err)
				}
			}
			if err := e.end(); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != test.want {
				t.Errorf("%q, cut at %d: %q, want %q", test.text, cut, got, test.want)
			}
		}
	}
}
