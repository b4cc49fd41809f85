package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestBatchReadError: a line that is cut off by an error of its reader is no task.
func TestBatchReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	for name, test := range map[string]struct {
		in   string
		null bool
		err  error
		want []string
	}{
		"in a line":                {"one\ntw", false, broken, []string{"one"}},
		"between two lines":        {"one\ntwo\n", false, broken, []string{"one", "two"}},
		"in the first line":        {"on", false, broken, nil},
		"in a line that ends in 0": {"one\x00tw", true, broken, []string{"one"}},
		"none":                     {"one\ntw", false, nil, []string{"one", "tw"}},
		"none, lines end in 0":     {"one\x00tw", true, nil, []string{"one", "tw"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r io.Reader = strings.NewReader(test.in)
			if test.err != nil {
				r = io.MultiReader(r, iotest.ErrReader(test.err))
			}
			c := batchCmd{Command: []string{"echo"}, Null: test.null}
			var got []string
			var failed error
			for spec, err := range c.specs(r) {
				if failed = err; err == nil {
					got = append(got, spec.Args[0].(string))
				}
			}
			if !slices.Equal(got, test.want) || !errors.Is(failed, test.err) {
				t.Errorf("got %q, %v, want %q, %v", got, failed, test.want, test.err)
			}
		})
	}
}
