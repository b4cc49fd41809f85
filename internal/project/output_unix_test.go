//go:build unix

package project

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestRestoreOutput: what a task has written is in its file, whatever was done to
// that.
func TestRestoreOutput(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(path, other string) error{
		"nothing":            func(string, string) error { return nil },
		"removed":            func(path, _ string) error { return os.Remove(path) },
		"folder removed":     func(path, _ string) error { return os.RemoveAll(filepath.Dir(path)) },
		"link":               func(path, other string) error { return errors.Join(os.Remove(path), os.Symlink(other, path)) },
		"another file":       func(path, other string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		"one with two names": func(path, other string) error { return errors.Join(os.Remove(other), os.Link(path, other)) },
		"folder":             func(path, _ string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, other := filepath.Join(dir, "outputs", "1.1.out"), filepath.Join(dir, "other")
			if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := CreateOutput(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = file.WriteString("written"); err == nil {
				err = do(path, other)
			}
			if err == nil {
				file, err = RestoreOutput(path, file)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.WriteString(" more"); err != nil {
				t.Error(err)
			}
			read, err := OpenOutput(path)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := readAll(read, 100); string(text) != "written more" || err != nil {
				t.Errorf("it holds %q, %v", text, err)
			}
			if text, err := os.ReadFile(other); name != "one with two names" && string(text) != "precious" {
				t.Errorf("the other file holds %q, %v", text, err)
			}
		})
	}
}

// TestOutputOfAnother: a file of another user is not read for one whose project it
// lies in.
func TestOutputOfAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "outputs", "1.1.out")
	file, err := CreateOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Close(), os.Chown(filepath.Dir(path), 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if file, err := OpenOutput(path); !errors.Is(err, ErrNotFile) {
		t.Errorf("opened %v, %v", file, err)
	}
}
