//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/taskspec"
)

// TestPipeline runs it to its end, and then one whose last stage fails: tried
// again, it does that stage only.
func TestPipeline(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, dir := filepath.Join(t.TempDir(), "pipeline"), t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := p.Manager().Stop(context.Background())
		if err := errors.Join(err, p.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte("/a 200\n/b 404\n/a 200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipeline := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), path, "log")
		cmd.Dir, cmd.Stderr = dir, t.Output()
		out, err := cmd.Output()
		return string(out), err
	}
	report := filepath.Join(dir, "log.json")

	out, err := pipeline()
	if err != nil || !regexp.MustCompile(`^run \d{19}: 2 pages\n$`).MatchString(out) {
		t.Errorf("it printed %q: %v", out, err)
	}
	if text, err := os.ReadFile(report); err != nil || string(text) != `{"/a":2,"/b":1}` {
		t.Errorf("the report is %s: %v", text, err)
	}

	// A folder stands where the report is to be.
	if err := errors.Join(os.Remove(report), os.Mkdir(report, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err = pipeline(); err == nil {
		t.Errorf("it printed %q", out)
	}
	var runs []string
	for s, err := range p.Tasks(t.Context(), weft.TaskFilter{Statuses: []taskspec.Status{taskspec.StatusFailed}}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Pipeline {
			runs = append(runs, s.TID)
		}
	}
	if len(runs) != 1 {
		t.Fatalf("%d runs have failed", len(runs))
	}
	if err := os.Remove(report); err != nil {
		t.Fatal(err)
	}
	task, err := p.Task(t.Context(), runs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := task.Wait(t.Context()); err != nil || s.Err() != nil {
		t.Errorf("tried again: %v %v", s.Err(), err)
	}
	stages, err := task.Stages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	attempts := make(map[string]int)
	for _, s := range stages {
		attempts[s.Name] = s.Attempt
	}
	if diff := cmp.Diff(map[string]int{"extract": 1, "transform": 1, "load": 2}, attempts); diff != "" {
		t.Errorf("attempts of the stages: %s", diff)
	}
}
