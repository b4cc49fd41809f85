package main

import (
	"slices"
	"strings"
	"testing"
)

// TestHelpText: help.txt has an example of each command, and no other commands.
func TestHelpText(t *testing.T) {
	t.Parallel()
	known := []string{"{times}", "{globs}"}
	for _, topic := range topics() {
		known = append(known, "help "+topic)
		if text := section("help " + topic); len(text) < 500 || strings.ContainsAny(topic, "{}") {
			t.Errorf("topic %s: %q", topic, text)
		}
	}
	for _, leaf := range newParser(&globals{}, commands(), []string{""}).Model.Leaves(true) {
		known = append(known, path(leaf))
		if text := detail(path(leaf)); !strings.Contains(text, "Examples:\n\n    ") || strings.Contains(text, "{times}") {
			t.Errorf("%s: its text in help.txt is %q", path(leaf), text)
		}
	}
	for line := range strings.Lines(helpText) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok && !slices.Contains(known, name) {
			t.Errorf("help.txt has %q, which is no command", name)
		}
	}
}
