package main

import (
	"strings"
	"testing"
)

func TestDetacher(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keys   string
		typed  []string
		pass   string // at once
		held   string // until the next key, or for a while
		detach bool
	}{
		"text":            {defaultDetach, []string{"hello d\r"}, "hello d\r", "", false},
		"together":        {defaultDetach, []string{"ab\x1cd"}, "ab", "", true},
		"one by one":      {defaultDetach, []string{"ab", "\x1c", "d"}, "ab", "", true},
		"half":            {defaultDetach, []string{"\x1c"}, "", "\x1c", false},
		"other key":       {defaultDetach, []string{"\x1c", "\x0e"}, "\x1c\x0e", "", false},
		"twice, then d":   {defaultDetach, []string{"\x1c\x1c", "d"}, "\x1c", "", true},
		"as vim asks":     {defaultDetach, []string{"\x1b[27;5;92~", "d"}, "", "", true},
		"as kitty asks":   {defaultDetach, []string{"x\x1b[92;5ud"}, "x", "", true},
		"escape":          {defaultDetach, []string{"\x1b"}, "\x1b", "", false},
		"other sequence":  {defaultDetach, []string{"\x1b[27;5;91~d"}, "\x1b[27;5;91~d", "", false},
		"none":            {"", []string{"\x1cd"}, "\x1cd", "", false},
		"own":             {"ctrl-P,CTRL-q", []string{"\x10", "\x11"}, "", "", true},
		"letters":         {"a,a,b", []string{"aaab"}, "a", "", true},
		"what comes then": {"q", []string{"abqcd"}, "ab", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := newDetacher(test.keys)
			if err != nil {
				t.Fatal(err)
			}
			var pass strings.Builder
			detach := false
			for _, typed := range test.typed {
				var p []byte
				p, detach = d.take([]byte(typed))
				pass.WriteString(string(p))
			}
			if held := string(d.release()); pass.String() != test.pass || detach != test.detach || held != test.held {
				t.Errorf("passed %q, held %q, detached %v", pass.String(), held, detach)
			}
			if left := d.release(); len(left) > 0 {
				t.Errorf("released again: %q", left)
			}
		})
	}
	for _, keys := range []string{"ctrl-", "ctrl-1", "ab", ",", "a,", "ctrl-ab", " ", "\x1c", "é"} {
		if d, err := newDetacher(keys); err == nil {
			t.Errorf("%q: %q", keys, d.keys)
		}
	}
}
