package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/broker"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	_, err = b.Queue("q").WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", 1000)}, 100))
	must(t, err)
	must(t, Inspect(t.Context(), dir)) // beside others
	must(t, b.Close())
	must(t, Inspect(t.Context(), dir))

	path := filepath.Join(dir, Name)
	whole, err := os.ReadFile(path)
	must(t, err)
	for name, test := range map[string]struct {
		content string
		want    error
	}{
		"no database": {strings.Repeat("not a database ", 1000), broker.ErrNotStore},
		"a page lost": {string(whole[:len(whole)-4096]) + strings.Repeat("\xff", 4096), nil},
		"cut short":   {string(whole[:len(whole)/2]), nil},
	} {
		must(t, os.WriteFile(path, []byte(test.content), 0o600))
		err := Inspect(t.Context(), dir)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", name, err, test.want)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != test.content {
			t.Errorf("%s: the file has changed: %v", name, err)
		}
	}
	must(t, os.Remove(path))
	if err := Inspect(t.Context(), dir); err == nil {
		t.Error("a missing store is whole")
	}
	if exists, err := Exists(dir); exists || err != nil {
		t.Errorf("the missing store was made: %v", err)
	}
}

func TestFilesystem(t *testing.T) {
	t.Parallel()
	if name, err := Filesystem(t.TempDir()); name == "" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
}
