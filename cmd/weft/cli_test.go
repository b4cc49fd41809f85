package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// TestGrammar compares the commands that are built for a line with those that
// are built when all are.
func TestGrammar(t *testing.T) {
	t.Parallel()
	// usages are the leaves of a grammar with all that may follow them.
	usages := func(options []kong.Option) (all []string) {
		parser, err := kong.New(&struct{}{}, options...)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range parser.Model.Leaves(false) {
			var usage strings.Builder
			usage.WriteString(leaf.Path() + ": " + leaf.Summary())
			for _, group := range leaf.AllFlags(false) {
				for _, flag := range group {
					usage.WriteString(" " + flag.String())
				}
			}
			all = append(all, usage.String())
		}
		return all
	}
	compare := func(line, want []string) {
		if diff := cmp.Diff(want, usages(grammar(commands(&runCmd{}, &batchCmd{}), line))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	parser, err := kong.New(&struct{}{}, grammar(commands(&runCmd{}, &batchCmd{}), []string{""})...)
	if err != nil {
		t.Fatal(err)
	}
	groups := 0
	for _, command := range parser.Model.Children {
		whole := usages(grammar(commands(&runCmd{}, &batchCmd{}), []string{command.Name}))
		for _, alias := range command.Aliases {
			compare([]string{alias, "--json"}, whole)
		}
		compare([]string{command.Name, "no such command"}, whole)
		left := whole
		for _, sub := range command.Children {
			n := max(1, len(sub.Children))
			compare([]string{command.Name, sub.Name, "x"}, left[:n])
			left = left[n:]
			groups++
		}
	}
	if groups < 10 {
		t.Errorf("%d commands in groups: this tests nothing", groups)
	}
}
