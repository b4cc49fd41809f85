package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestCompleteTags holds every argument of a command, and every flag that takes
// text, to say what it completes to.
func TestCompleteTags(t *testing.T) {
	t.Parallel()
	known := []string{
		"-", "task", "live-task", "failed-task", "queue", "alias", "endpoint", "spec", "pipeline", "function", "file", "folder", "topic",
	}
	// What these placeholders stand for has a tag of its own.
	listed := []string{"TID", "QUEUE", "FILE", "DIR"}
	seen := 0
	check := func(path string, v *kong.Value, needed bool) {
		tag := v.Tag.Get("complete")
		for kind := range strings.SplitSeq(tag, ",") {
			if tag != "" && !slices.Contains(known, kind) {
				t.Errorf("%s %s: complete:%q is unknown", path, v.Name, tag)
			}
		}
		if needed && tag == "" && v.Enum == "" {
			t.Errorf(`%s %s: say what it completes to, or complete:"-"`, path, v.Name)
		}
		seen++
	}
	parser := newParser(&globals{}, commands(), []string{""})
	for _, leaf := range parser.Model.Leaves(false) {
		for _, arg := range leaf.Positional {
			check(leaf.Path(), arg, !takesCommand(leaf.Name))
		}
		for _, group := range leaf.AllFlags(false) {
			for _, flag := range group {
				check(leaf.Path(), flag.Value, slices.Contains(listed, flag.PlaceHolder))
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d arguments and flags: this tests nothing", seen)
	}
}
