//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weft"
)

// TestFanout has more files than slots, and one that is not there.
func TestFanout(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "fanout")
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

	var names []string
	var want strings.Builder
	for i := range 10 {
		name := fmt.Sprintf("%d.txt", 9-i)
		if names = append(names, name); i == 4 {
			continue // nobody has written it
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256([]byte(name)), name)
	}
	cmd := exec.CommandContext(t.Context(), path, names...)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if string(out) != want.String() {
		t.Errorf("it printed\n%swant\n%s", out, want.String())
	}
	failed := regexp.MustCompile(`^\S+ \S+ 5\.txt: task \d+ failed: command exited with 1: sha256sum: 5\.txt: No such file or directory\n$`)
	if ended, _ := errors.AsType[*exec.ExitError](err); ended == nil || ended.ExitCode() != 1 || !failed.MatchString(errs.String()) {
		t.Errorf("it ended with %v and said %q", err, errs.String())
	}
}
