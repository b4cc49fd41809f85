//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/broker"
	"weft/internal/waittest"
)

// TestAgents kills a worker while it is at a job, which its next life finishes,
// and has a job that always fails.
func TestAgents(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, dir := filepath.Join(t.TempDir(), "agents"), t.TempDir()
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
	agent := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		return cmd
	}

	begun, gate := waittest.NewFIFO(t, filepath.Join(dir, "begun")), waittest.NewFIFO(t, filepath.Join(dir, "gate"))
	blocked := fmt.Sprintf(`echo begun >%s; read -r line <%s; echo slow`, begun.Path, gate.Path)
	if err := agent("plan", blocked, "exit 3", "echo quick").Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Queue("jobs").Write(t.Context(), "no job"); err != nil {
		t.Fatal(err)
	}
	ada := agent("work", "ada")
	if err := ada.Start(); err != nil {
		t.Fatal(err)
	}
	begun.Read()
	if err := ada.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = ada.Wait() // killed
	bob := agent("work", "bob")
	if err := bob.Start(); err != nil {
		t.Fatal(err)
	}
	var got []answer
	got = append(got, decode(t, agent("answers", "3"))...)
	ada = agent("work", "ada")
	if err := ada.Start(); err != nil {
		t.Fatal(err)
	}
	gate.Open(1)
	got = append(got, decode(t, agent("answers", "1"))...)
	for i := range got {
		got[i].Error, _, _ = strings.Cut(got[i].Error, " ") // the rest is somebody else's words
	}
	slices.SortFunc(got[:3], func(a, b answer) int { return strings.Compare(a.Command, b.Command) })
	want := []answer{
		{Error: "invalid"},
		{Command: "echo quick", Output: "quick\n"},
		{Command: "exit 3", Error: "task"},
		{Command: blocked, Output: "slow\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, worker := range []*exec.Cmd{ada, bob} {
		if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := worker.Wait(); err != nil {
			t.Errorf("a worker ended with %v", err)
		}
	}

	// What is left in the queues, and how often each command ran.
	left := make(map[string][]string)
	for _, name := range []string{"jobs", "jobs.ada", "jobs.bob", "answers", "jobs.dead"} {
		for m, err := range p.Queue(name).Messages(t.Context(), broker.Select{}) {
			if err != nil {
				t.Fatal(err)
			}
			left[name] = append(left[name], m.Body)
		}
	}
	slices.Sort(left["jobs.dead"])
	if diff := cmp.Diff(map[string][]string{"jobs.dead": {"no job", `{"command":"exit 3"}`}}, left); diff != "" {
		t.Error(diff)
	}
	tasks := 0
	for _, err := range p.Tasks(t.Context(), weft.TaskFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		tasks++
	}
	if tasks != 1+attempts+1 {
		t.Errorf("%d tasks ran, want %d: the failing one %d times, the others once", tasks, 1+attempts+1, attempts)
	}
}

// decode runs an agent that prints answers.
func decode(t *testing.T, agent *exec.Cmd) (all []answer) {
	t.Helper()
	out, err := agent.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}
