package weft_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/literal"
)

func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b", strings.Repeat("c/", 50))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := weft.Find(deep); !errors.Is(err, weft.ErrNoProject) {
		t.Errorf("found %q above an empty folder: %v", found, err)
	}
	p, err := weft.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if found, err := weft.Find(deep); err != nil || found != root {
		t.Errorf("found %q: %v", found, err)
	}
	inner, err := weft.Open(filepath.Join(root, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	if found, err := weft.Find(deep); err != nil || found != filepath.Join(root, "a") {
		t.Errorf("found %q, not the nearest: %v", found, err)
	}
}

// TestOpenModes keeps other users out whatever the umask is; that is set in
// the tests of the store, which have a process for it.
func TestOpenModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	root := t.TempDir()
	p, err := weft.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Queue("q").Write(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, filepath.Join(root, ".weft"))
}

// deep is a path that is too long for SQLite.
var deep = strings.Repeat("deeper/", 80)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(root string) error
		want    string
	}{
		"no folder": {func(root string) error { return os.Remove(root) }, "no such file or directory"},
		"a file": {func(root string) error {
			return os.WriteFile(filepath.Join(root, ".weft"), []byte("mine"), 0o600)
		}, "is not a folder"},
		"a foreign database": {func(root string) error {
			if err := os.Mkdir(filepath.Join(root, ".weft"), 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(root, ".weft", "broker.db"), []byte(strings.Repeat("not a database ", 100)), 0o600)
		}, broker.ErrNotStore.Error()},
		"a very deep folder": {func(root string) error {
			return os.MkdirAll(filepath.Join(root, deep), 0o700)
		}, "SQLite takes at most 504: use a folder higher up"},
		"bad settings": {func(root string) error {
			if err := os.Mkdir(filepath.Join(root, ".weft"), 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(root, ".weft", "config.json"), []byte(`{"durabilty": "full"}`), 0o600)
		}, `unknown field "durabilty"`},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "project")
			if err := os.Mkdir(root, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := test.prepare(root); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(filepath.Join(root, deep)); err == nil && info.IsDir() {
				root = filepath.Join(root, deep)
			}
			if _, err := weft.Open(root); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("open: %v, want %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(root, deep, ".weft")); err == nil {
				t.Error("a project was begun that cannot be used")
			}
		})
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "1.5": 1500 * time.Millisecond, "2m": 2 * time.Minute, "1h30m": 90 * time.Minute, "0": 0,
	} {
		if d, err := literal.Duration(text); err != nil || d != want {
			t.Errorf("%s: %v %v", text, d, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1 m", "NaN", "Inf", "-Inf", "1e300"} {
		if d, err := literal.Duration(text); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
}

// wantPrivate checks that a folder, and all that is in it, is its user's alone.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
