package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// strange are names of folders that mean something to somebody on the way to
// SQLite.
var strange = []string{
	"plain", "a?b #%c", "a b", " ", "ünïcode ☃", "new\nline", "tab\t", "%41", "%", "%zz", "a%00b", "q?_pragma=user_version(7)",
	"?", "#", "#frag?x", "a&b=c", "a+b", "a;b", "a:b", ":memory:", "file:x", "-x", "~", "$HOME", `back\slash`, `"quoted"`, "'", "*", "[a]",
	"\xff\xfe", "...", "mode=memory", "?mode=memory&cache=shared", "?vfs=none", "?immutable=1",
}

func TestFolderNames(t *testing.T) {
	t.Parallel()
	for _, name := range strange {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			openIn(t, name)
		})
	}
}

func FuzzDSN(f *testing.F) {
	for _, name := range strange {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || name == "." || name == ".." {
			t.Skip("not a name")
		}
		openIn(t, name)
	})
}

// openIn opens a store in a folder called name, if there can be one, and
// fails unless the store lies there and nowhere else.
func openIn(t *testing.T, name string) {
	root := t.TempDir()
	dir := root + string(filepath.Separator) + name
	if filepath.Dir(dir) != root || filepath.Base(dir) != name {
		t.Skip("not one folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Skip("the system refuses the name:", err)
	}
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	_, err = b.Queue("q").Write(t.Context(), "x")
	must(t, err)
	want := []string{".", name, name + "/ballast", name + "/bells", name + "/" + Name, name + "/" + Name + "-shm", name + "/" + Name + "-wal"}
	var got []string
	must(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, path)
		if filepath.Base(filepath.Dir(path)) != "bells" {
			got = append(got, filepath.ToSlash(rel))
		}
		return errors.Join(err, relErr)
	}))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	must(t, b.Close())
	b, err = Open(dir, Options{Durability: Normal})
	must(t, err)
	if n := len(contents(t, b, "q")); n != 1 {
		t.Errorf("%d messages after reopening, want 1", n)
	}
	must(t, b.Close())
}

func TestDSNOfDrive(t *testing.T) {
	t.Parallel()
	const prefix = "file:///C:/Users/a%20b/.weft/broker.db?"
	if got := dsn(`C:/Users/a b/.weft/broker.db`, "rw", Full); got[:len(prefix)] != prefix {
		t.Errorf("dsn %s, want it to begin with %s", got, prefix)
	}
}

func TestFolderMissing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	b, err := Open(dir, Options{})
	must(t, err)
	must(t, b.Close())
	check(t, dir)
	if _, err := Open(filepath.Join(dir, "no", "such"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open below a folder that is missing: %v", err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(file, Options{}); err == nil {
		t.Error("opened a file as a folder")
	}
}

// TestRelativeFolder changes the working folder while a store is open.
func TestRelativeFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s, err := open("store", Options{})
	must(t, err)
	b := broker.New(s, broker.Options{})
	t.Chdir(t.TempDir())
	_, err = b.Queue("q").Write(t.Context(), "x")
	must(t, err)
	must(t, b.View(t.Context(), func(r broker.Reader) error {
		ms, err := r.Messages("q", broker.Select{})
		if len(ms) != 1 {
			t.Errorf("saw %v", ms)
		}
		return err
	}))
	if !s.writer.ballast.release() {
		t.Error("the ballast is not found")
	}
	must(t, b.Close())
	check(t, filepath.Join(dir, "store"))
}

// openFiles lists what this process has open below dir. Where the system does
// not tell, the list is empty.
func openFiles(dir string) (paths []string) {
	const table = "/proc/self/fd"
	fds, _ := os.ReadDir(table)
	for _, fd := range fds {
		path, err := os.Readlink(filepath.Join(table, fd.Name()))
		if err != nil {
			continue // it was that of the listing itself, or another test closed it
		}
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			paths = append(paths, rel)
		}
	}
	return paths
}
