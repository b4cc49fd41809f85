package weft_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"weft"
)

func TestOpenExistingCreatesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := weft.OpenExisting(dir); !errors.Is(err, weft.ErrNoProject) {
		t.Errorf("error %v, want ErrNoProject", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	for _, c := range []struct{ autostart, created, folder bool }{
		{autostart: false, created: true, folder: false},
		{autostart: true, created: false, folder: true},
		{autostart: false, created: false, folder: true}, // what is there stays
	} {
		p, err := weft.Create(dir, c.autostart, weft.Options{AcceptPOSIXLocks: true})
		if err != nil {
			t.Fatal(err)
		}
		if p.Created() != c.created {
			t.Errorf("%+v: created %v", c, p.Created())
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(dir, ".weft", "autostart"))
		if (err == nil) != c.folder {
			t.Errorf("%+v: autostart folder: %v", c, err)
		}
	}
	p, err := weft.OpenExisting(dir, weft.Options{AcceptPOSIXLocks: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLocate(t *testing.T) {
	outer, named := t.TempDir(), t.TempDir()
	inner := filepath.Join(outer, "inner")
	if err := os.MkdirAll(filepath.Join(outer, ".weft"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(named, "env")
	if err := os.WriteFile(file, []byte("WEFT_CONTEXT=/from/file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, work, dir, variable, envFile, want string
		err                                      error
	}{
		{name: "upward", work: inner, want: outer},
		{name: "variable", work: inner, variable: named, want: named},
		{name: "flag over variable", work: inner, dir: "x", variable: named, want: "x"},
		{name: "file of variables", work: inner, envFile: file, want: "/from/file"},
		{name: "none", work: named, err: weft.ErrNoProject},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(c.work)
			t.Setenv("HOME", c.work) // the search need not go further
			if c.work == inner {
				t.Setenv("HOME", outer)
			}
			t.Setenv("WEFT_ENV_FILE", c.envFile)
			t.Setenv("WEFT_CONTEXT", c.variable)
			if c.variable == "" {
				os.Unsetenv("WEFT_CONTEXT") // t.Setenv puts it back
			}
			got, err := weft.Locate(c.dir)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if want, _ := filepath.EvalSymlinks(c.want); got != c.want && got != want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
