package consumer

import (
	"slices"
	"testing"

	"weft/internal/tty"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  []string
		size tty.Size
		rest []string
	}{
		{nil, tty.Size{Rows: 24, Cols: 80}, nil},
		{[]string{"A=1", "LINES=50", "COLUMNS=132", "B="}, tty.Size{Rows: 50, Cols: 132}, []string{"A=1", "B="}},
		{[]string{"LINES=0", "COLUMNS=x"}, tty.Size{Rows: 24, Cols: 80}, nil},
		{[]string{"LINES=70000", "COLUMNS=10", "COLUMNS=20"}, tty.Size{Rows: 24, Cols: 20}, nil},
		{[]string{"XLINES=5", "LINES"}, tty.Size{Rows: 24, Cols: 80}, []string{"XLINES=5", "LINES"}},
	} {
		given := slices.Clone(test.env)
		size, rest := window(test.env)
		if size != test.size || !slices.Equal(rest, test.rest) {
			t.Errorf("%q: %v, %q", test.env, size, rest)
		}
		if !slices.Equal(test.env, given) {
			t.Errorf("%q became %q", given, test.env)
		}
	}
}

func TestFromLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		latest string
		start  int64
		want   string
	}{
		{"first\nsecond\n", 0, "first\nsecond\n"},
		{"rst\nsecond\n", 2, "second\n"},
		{"one long line", 2, "one long line"},
		{"", 0, ""},
	} {
		if got := string(fromLine([]byte(test.latest), test.start)); got != test.want {
			t.Errorf("%q from %d: %q, want %q", test.latest, test.start, got, test.want)
		}
	}
}
