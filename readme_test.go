//go:build linux

package weft_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme does what README.md tells somebody who begins in an empty folder,
// to the letter, and compares what it prints.
func TestReadme(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	beside := p.dir
	p.dir = filepath.Join(beside, "thumbs")
	checkout, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(checkout, filepath.Join(beside, "weft")); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build(t, "./cmd/weft", filepath.Join(bin, "weft"))
	sh := func(dir, script string) (string, error) {
		cmd := exec.CommandContext(p.ctx, "sh", "-ec", script)
		cmd.Dir = dir
		// On a new machine go get asks for the go.mod of modules that building this
		// test did not need.
		cmd.Env = append(os.Environ(), p.mark(), "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=", "GOSUMDB=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	if out, err := sh(beside, readmeBlock(t, "sh")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "main.go"), []byte(readmeBlock(t, "go")), 0o600); err != nil {
		t.Fatal(err)
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(readmeBlock(t, "console"), "$ "), "\n$ ") {
		command, want, _ := strings.Cut(step, "\n")
		out, err := sh(p.dir, command)
		if strings.TrimSpace(out) != strings.TrimSpace(want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", command, err, out, want)
		}
	}
	if n := len(p.tasks()); n != 2 {
		t.Errorf("%d tasks, want 2: the wrong call is not one", n)
	}
}

// readmeBlock is the first fenced block of this kind in the section of README.md
// for who begins.
func readmeBlock(t *testing.T, kind string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## In Go, from an empty folder\n")
	if !found {
		t.Fatal("README.md has no section for who begins")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, found := strings.Cut(section, "\n```"+kind+"\n")
	block, _, closed := strings.Cut(block, "\n```")
	if !found || !closed {
		t.Fatalf("that section has no block of %s", kind)
	}
	return block
}
