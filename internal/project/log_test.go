package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// small opens a log that is put aside after a few lines.
func small(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	l.most = 4 << 10
	return l
}

// logLines are the lines of all logs of a project, and how many files they are in.
func logLines(t *testing.T, dir string) (lines map[string]int, files int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, LogFolder, "manager*.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines = make(map[string]int)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			lines[line]++
		}
	}
	return lines, len(paths)
}

// TestLogOfMany: managers that write one log, as when one replaces another, lose no
// line and tear none, whoever puts the log aside.
func TestLogOfMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, each = 2, 80 // in all less than what is kept
	var group sync.WaitGroup
	for w := range writers {
		l := small(t, dir)
		group.Go(func() {
			for n := range each {
				if _, err := fmt.Fprintf(l, "%d %d %s\n", w, n, strings.Repeat("x", 80)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	lines, files := logLines(t, dir)
	if len(lines) != writers*each {
		t.Errorf("%d lines, want %d", len(lines), writers*each)
	}
	for line, n := range lines {
		if n != 1 {
			t.Errorf("%d times: %q", n, line)
		}
	}
	if files < 2 {
		t.Error("the log was never put aside")
	}
}

// TestLogKeeps: the oldest logs go, those that an earlier version put aside first.
func TestLogKeeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := small(t, dir)
	old := filepath.Join(dir, LogFolder, "manager-2026-01-02T03-04-05.678.log")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if _, err := fmt.Fprintf(l, "%d %s\n", n, strings.Repeat("x", 3<<10)); err != nil {
			t.Fatal(err)
		}
	}
	lines, files := logLines(t, dir)
	if files != logKept+1 || len(lines) != logKept+1 {
		t.Errorf("%d files with %d lines, want %d", files, len(lines), logKept+1)
	}
	if _, err := os.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the oldest is there: %v", err)
	}
}

// TestLogRemoved: a log that somebody removes, with its folder, is made again, and
// one that he replaces by a link is not followed.
func TestLogRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := small(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, LogFolder)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(l, "again"); err != nil {
		t.Fatal(err)
	}
	if lines, _ := logLines(t, dir); lines["again\n"] != 1 {
		t.Errorf("the log has %v", lines)
	}
	path, other := filepath.Join(dir, LogFolder, logName), filepath.Join(dir, "other")
	if err := errors.Join(os.Remove(path), os.Symlink(other, path)); err != nil {
		t.Skip(err)
	}
	if _, err := fmt.Fprintln(l, "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}
