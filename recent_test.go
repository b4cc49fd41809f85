//go:build linux

package weft_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/taskspec"
)

// TestRecent lists some of the newest tasks, of all statuses and of a few.
func TestRecent(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	for i, command := range []string{"true", "false", "false", "true", "false"} {
		spec := weft.Command(command)
		spec.Name = string(rune('a' + i))
		client, _ := p.run(spec)
		client.answer()
	}
	for _, test := range []struct {
		n        int
		statuses []taskspec.Status
		want     string
	}{
		{100, nil, "edcba"},
		{2, nil, "ed"},
		{0, nil, ""},
		{-1, nil, ""},
		{100, []taskspec.Status{taskspec.StatusFailed}, "ecb"},
		{1, []taskspec.Status{taskspec.StatusCompleted}, "d"},
		{4, []taskspec.Status{taskspec.StatusCompleted, taskspec.StatusFailed}, "edcb"},
		{100, weft.Unfinished(), ""},
	} {
		found, err := weft.Recent(t.Context(), c, test.n, test.statuses...)
		if err != nil {
			t.Fatal(err)
		}
		var names strings.Builder
		for _, s := range found {
			names.WriteString(s.Name)
		}
		if diff := cmp.Diff(test.want, names.String()); diff != "" {
			t.Errorf("the newest %d of %v (-want +got):\n%s", test.n, test.statuses, diff)
		}
	}
}
