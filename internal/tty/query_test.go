package tty

import "testing"

func TestQuiet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ output, want string }{
		"text":        {"hello\r\n", "hello\r\n"},
		"colors":      {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"},
		"who are you": {"a\x1b[cb\x1b[>cd\x1b[0c\x1bZe\x05f", "abdef"},
		"cursor":      {"a\x1b[6nb\x1b[?6nc", "abc"},
		"keys off":    {"\x1b[>4n", "\x1b[>4n"},
		"mode":        {"\x1b[?2026$p\x1b[!p", "\x1b[!p"},
		"version":     {"\x1b[>q\x1b[2 q", "\x1b[2 q"},
		"window":      {"\x1b[14t\x1b[18t\x1b[21t\x1b[22;0t\x1b[8;24;80t", "\x1b[22;0t\x1b[8;24;80t"},
		"keyboard":    {"\x1b[?u\x1b[>1u\x1b[u", "\x1b[>1u\x1b[u"},
		"colors of":   {"\x1b]11;?\a\x1b]10;?\x1b\\\x1b]0;title?\a\x1b]11;#fff\a", "\x1b]0;title?\a\x1b]11;#fff\a"},
		"capability":  {"\x1bP+q5463\x1b\\\x1bP$qm\x1b\\\x1bPq#0\x1b\\", "\x1bPq#0\x1b\\"},
		"cut":         {"text\x1b[3", "text\x1b[3"},
		"cut title":   {"text\x1b]0;abc", "text\x1b]0;abc"},
		"broken off":  {"\x1b[3\x1b[cx", "\x1b[3x"},
		"charset":     {"\x1b(B\x1b)0\x1b7", "\x1b(B\x1b)0\x1b7"},
		"nothing":     {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(Quiet([]byte(test.output))); got != test.want {
				t.Errorf("%q became %q, want %q", test.output, got, test.want)
			}
		})
	}
}

// FuzzQuiet reads anything, and adds nothing.
func FuzzQuiet(f *testing.F) {
	for _, s := range []string{"a\x1b[c", "\x1b]11;?\a", "\x1bP$q\x1b\\", "\x1b", "\x1b[?1049hx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var m Modes
		_, _ = m.Write(p)
		if got := Quiet(p); len(got) > len(p) {
			t.Errorf("%q became %q", p, got)
		}
	})
}
