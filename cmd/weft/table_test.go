package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTextWidth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "漢字": 4, "e\u0301": 1, "ü": 1, "…": 1, "▸ ✓ ✗ ◦ ⊘": 9} {
		if got := textWidth(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
	}
}

func TestCutText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{"abcd", 0, ""},
		{"漢字漢字", 4, "漢…"},
		{"漢字漢字", 5, "漢字…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m"},
		{"\x1b[31mred\x1b[0m", 2, "\x1b[31mr…\x1b[0m"},
		{"\x1b[31mred\x1b[0m and more", 5, "\x1b[31mred\x1b[0m …"},
	} {
		if got := cutText(c.text, c.width); got != c.want {
			t.Errorf("%q in %d columns is %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// Whatever the widths are, a row fits if the columns' least widths allow it, and no column
// is narrower than that.
func TestFitColumns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "columns")
		widths := rapid.SliceOfN(rapid.IntRange(0, 300), n, n).Draw(t, "widths")
		least := rapid.SliceOfN(rapid.IntRange(0, 20), n, n).Draw(t, "least")
		room := rapid.IntRange(1, 250).Draw(t, "room")
		got := fitColumns(widths, least, room)
		all, smallest := columnGap*(n-1), columnGap*(n-1)
		for i, w := range got {
			floor := widths[i]
			if least[i] > 0 {
				floor = min(least[i], widths[i])
			}
			if w < floor || w > widths[i] {
				t.Errorf("column %d is %d wide, of %d, at least %d", i, w, widths[i], floor)
			}
			all += w
			smallest += floor
		}
		if all > max(room, smallest) {
			t.Errorf("%v takes %d of %d columns", got, all, room)
		}
		if all < room && !slices.Equal(got, widths) {
			t.Errorf("%v is cut to %v in %d columns", widths, got, room)
		}
	})
}

// A shell reads what is shown as the command that it is.
func TestShellText(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	argv := []string{
		"plain", "", "two words", "it's", `"quoted"`, `a\b`, `\'`, "tab\there", "line\nfeed", "\xff\xfe", "\x1b[31m", "ü漢",
		"$HOME", "`x`", "*", "{a,b}", "{}", "~", "=x", "A=b", "--flag=a,b", "!!", "a\u202eb", "\u3000", "#", "\x7f'",
	}
	shell := exec.Command(bash, "--norc", "-c", `printf '%s\0' `+shellText(argv))
	shell.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	for i, want := range argv {
		if i >= len(got) || string(got[i]) != want {
			t.Errorf("%q is shown as %s", want, quoteWord(want))
		}
	}
	if text := shellText(argv); text != visible(text) {
		t.Errorf("%q is not what a terminal only shows", text)
	}
	if got := shellText([]string{"A=b", "c"}); got != "'A=b' c" {
		t.Errorf("a program with = in its name is shown as an assignment: %s", got)
	}
}
