package interleave

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	type piece struct {
		stream int
		text   string
	}
	for name, test := range map[string]struct {
		match   string
		tail    int
		pieces  []piece
		all     bool
		want    []string
		skipped [2]int
	}{
		"nothing":         {want: nil},
		"across pieces":   {pieces: []piece{{0, "a"}, {1, "e\n"}, {0, "b\nc"}}, want: []string{"1:e\n", "0:ab\n"}},
		"without its end": {pieces: []piece{{0, "a"}, {1, "e"}}, all: true, want: []string{"0:a", "1:e"}},
		"long":            {pieces: []piece{{0, long + "y\n"}}, want: []string{"0:" + long, "0:y\n"}},
		"the last":        {tail: 2, pieces: []piece{{0, "1\n2\n"}, {1, "3\n"}, {0, "4"}}, all: true, want: []string{"1:3\n", "0:4"}, skipped: [2]int{4, 0}},
		"matching":        {match: "^b+$", pieces: []piece{{0, "a\nbb\n"}, {1, "ab\nb"}}, all: true, want: []string{"0:bb\n", "1:b"}, skipped: [2]int{2, 3}},
		"last matching":   {match: "b", tail: 1, pieces: []piece{{0, "b1\na\nb2\na\n"}}, want: []string{"0:b2\n"}, skipped: [2]int{7, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var skipped [2]int
			l := Lines{Tail: test.tail, Skip: func(stream, n int) { skipped[stream] += n }, Pass: func(stream int, line []byte, _ time.Time) error {
				got = append(got, fmt.Sprintf("%d:%s", stream, line))
				return nil
			}}
			if test.match != "" {
				l.Match = regexp.MustCompile(test.match)
			}
			for _, p := range test.pieces {
				if err := l.Add(p.stream, []byte(p.text), time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.CaughtUp(test.all); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) || skipped != test.skipped {
				t.Errorf("got %q and skipped %v, want %q and %v", got, skipped, test.want, test.skipped)
			}
		})
	}
}
