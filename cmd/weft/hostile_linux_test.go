package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weft/internal/waittest"
)

// hostileNames are the files and folders of a project's folder that something else
// may have the names of.
var hostileNames = []string{
	".gitignore", "config.json", "broker.db", "broker.db-wal", "broker.db-shm", "broker.db-journal", "manager.lock", "manager.start",
	"ballast", "bells", "logs", "logs/manager.log", "logs/crash.log", "outputs", "tasks", "tasks/x.json", "pipelines", "autostart", "autostart/x.json",
}

// hostileKinds are what may stand there, at path. outside is a folder that is not the
// project's, with a folder and a file called precious.
var hostileKinds = map[string]func(path, outside string) error{
	"link to a file":       func(path, outside string) error { return os.Symlink(filepath.Join(outside, "precious"), path) },
	"link to nothing":      func(path, outside string) error { return os.Symlink(filepath.Join(outside, "new"), path) },
	"link to a folder":     func(path, outside string) error { return os.Symlink(filepath.Join(outside, "folder"), path) },
	"link within":          func(path, _ string) error { return os.Symlink("README", path) },
	"link to endless file": func(path, _ string) error { return os.Symlink("/dev/zero", path) },
	"pipe":                 func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	"folder":               func(path, _ string) error { return os.Mkdir(path, 0o700) },
	"hard link":            func(path, outside string) error { return os.Link(filepath.Join(outside, "precious"), path) },
	"huge file": func(path, _ string) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			err = errors.Join(f.Truncate(1<<40), f.Close())
		}
		return err
	},
}

// TestHostileFolder: whatever a folder .weft holds that came from elsewhere, weft
// changes nothing outside of it, and comes to its end, with an error that names what
// is wrong.
func TestHostileFolder(t *testing.T) {
	t.Parallel()
	eachHostile(t, false)
}

// TestLongHostileProject is [TestHostileFolder] for a project that was used before.
func TestLongHostileProject(t *testing.T) {
	waittest.NeedLong(t) // it runs 1,000 commands
	eachHostile(t, true)
}

// eachHostile runs commands with each kind of thing in each place, in a project that
// was used before, or in a folder without a store.
func eachHostile(t *testing.T, used bool) {
	for kind, put := range hostileKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, name := range hostileNames {
				h := newHostile(t, name)
				if used {
					h.use()
				}
				if err := put(h.path, h.outside); err != nil {
					t.Fatal(err)
				}
				if !used {
					h.look()
				}
				h.run()
			}
		})
	}
}

// A hostile is a project's folder in which something is not what its name says.
type hostile struct {
	*testing.T
	name, path    string // of that
	root, outside string
	before        map[string]string // what was outside
}

func newHostile(t *testing.T, name string) *hostile {
	t.Helper()
	dir := t.TempDir()
	h := &hostile{T: t, name: name, root: filepath.Join(dir, "root"), outside: filepath.Join(dir, "outside")}
	h.path = filepath.Join(h.root, ".weft", name)
	for _, folder := range []string{filepath.Dir(h.path), filepath.Join(h.outside, "folder")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(h.outside, "precious"), filepath.Join(h.root, ".weft", "README")} {
		if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.before = h.content()
	return h
}

// content is what is outside.
func (h *hostile) content() map[string]string {
	all := make(map[string]string)
	err := filepath.WalkDir(h.outside, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = ""
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// weft runs a command in the project, and returns what it says on standard error.
func (h *hostile) weft(args ...string) (text string, failed bool) {
	h.Helper()
	ctx := waittest.Context(h)
	cmd := exec.CommandContext(ctx, "weft", args...)
	cmd.Dir = h.root
	cmd.Env = append(os.Environ(), "HOME="+h.root, "WEFT_MANAGER_REUSE_ENABLED=false", "GORACE=atexit_sleep_ms=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		h.Fatalf("%s: weft %q hangs", h.name, args)
	}
	if now := h.content(); !maps.Equal(h.before, now) {
		h.Fatalf("%s: weft %q changed what is outside: %q, which was %q", h.name, args, now, h.before)
	}
	return stderr.String(), err != nil
}

// use makes a project of the folder and uses it, and then makes place.
func (h *hostile) use() {
	h.Helper()
	h.weft("init", "-q")
	h.weft("run", "true")
	h.weft("manager", "stop")
	if err := errors.Join(os.RemoveAll(h.path), os.MkdirAll(filepath.Dir(h.path), 0o700)); err != nil {
		h.Fatal(err)
	}
}

// look runs commands that change nothing, also not in the folder.
func (h *hostile) look() {
	h.Helper()
	before := h.entries()
	for _, args := range [][]string{{"status"}, {"spec", "list"}, {"system", "doctor"}} {
		h.weft(args...)
		if now := h.entries(); now != before {
			h.Errorf("%s: weft %q made %q of %q", h.name, args, now, before)
		}
	}
}

// entries are what is in the folder.
func (h *hostile) entries() string {
	var all []string
	err := filepath.WalkDir(filepath.Join(h.root, ".weft"), func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// run runs a task with an output that goes into a file. It may be refused: then the
// last line says because of what.
func (h *hostile) run() {
	h.Helper()
	text, failed := h.weft("run", "head", "-c", "200000", "/dev/zero")
	if !failed {
		return
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[len(lines)-1]
	named := strings.Contains(last, filepath.Join(".weft", h.name)) || h.name == "broker.db" && strings.Contains(last, "not a weft store")
	if !strings.HasPrefix(last, "weft: ") || !named {
		h.Errorf("%s: %q does not name it", h.name, text)
	}
}
