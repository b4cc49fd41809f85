package specstore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/project"
	"weft/taskspec"
)

var errBad = errors.New("it is bad")

// newStore returns a store of texts in which "bad" may not be stored.
func newStore(t *testing.T) Store[string] {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".weft")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	check := func(document []byte) error {
		if string(document) == "bad" {
			return errBad
		}
		return nil
	}
	return Store[string]{
		Project: dir, Folder: "texts", What: "text", Check: check,
		Parse: func(document []byte) (string, error) { return string(document), check(document) },
	}
}

// TestNames: what is stored under a name stays in the folder, and each name is its own.
func TestNames(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, name := range []string{"a", "a.b", "A_1-x", strings.Repeat("n", 200), "json", "x.jsonl"} {
		if err := s.Create(name, strings.NewReader(name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got, err := s.Load(name); got != name || err != nil {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".a", "-a", "a/b", "../a", `a\b`, "a b", "ä", "a\x00", "x.json", strings.Repeat("n", 201)} {
		for what, err := range map[string]error{
			"create":  s.Create(name, strings.NewReader("x")),
			"replace": s.Replace(name, strings.NewReader("x")),
			"remove":  s.Remove(name),
			"load":    func() error { _, err := s.Load(name); return err }(),
			"read":    func() error { _, err := s.Read(name); return err }(),
		} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
}

// TestStore creates, replaces, lists and removes documents.
func TestStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	list := func() (all []string) {
		t.Helper()
		err := s.Each(func(name, v string, err error) {
			if err != nil {
				v = "! " + err.Error()
			}
			all = append(all, name+": "+v)
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := list(); all != nil {
		t.Errorf("a new project has %q", all)
	}
	for _, step := range []struct {
		name string
		err  error
		want error
	}{
		{"create", s.Create("a-b", strings.NewReader("one")), nil},
		{"create another", s.Create("a", strings.NewReader("two")), nil},
		{"create what there is", s.Create("a", strings.NewReader("three")), ErrExists},
		{"create what is bad", s.Create("c", strings.NewReader("bad")), errBad},
		{"replace", s.Replace("a-b", strings.NewReader("four")), nil},
		{"replace by what is bad", s.Replace("a", strings.NewReader("bad")), errBad},
		{"replace what is not there", s.Replace("a.b", strings.NewReader("five")), nil},
		{"remove", s.Remove("a.b"), nil},
		{"remove what is not there", s.Remove("a.b"), ErrNone},
	} {
		if !errors.Is(step.err, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, step.err, step.want)
		}
	}
	// What somebody else has put there.
	folder := filepath.Join(s.Project, s.Folder)
	for name, text := range map[string]string{"b.json": "bad", "notes.txt": "no document", ".hidden.json": "neither"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "d.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := list(), []string{"a: two", "a-b: four", "b: ! text b: it is bad"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.NewReader(strings.Repeat("x", taskspec.MaxDocument+2))
	if document, err := ReadDocument(long); len(document) != taskspec.MaxDocument+1 || err != nil {
		t.Errorf("of a document that is too long %d bytes are read, %v", len(document), err)
	}
}

// TestFind: a name is what is stored under it, else a file, and a path is a file.
func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	s := newStore(t)
	for _, name := range []string{"both", "stored"} {
		if err := s.Create(name, strings.NewReader("the stored one")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"both", "both.json", "a file"} {
		if err := os.WriteFile(name, []byte("the file"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"both": "the stored one", "stored": "the stored one", "./both": "the file", "both.json": "the file", "a file": "the file",
	} {
		if got, err := s.Find(name); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"none":        "text none: no such spec: none is stored under that name, and there is no such file",
		"./stored":    "text ./stored: no such spec: there is no such file",
		"stored.json": "text stored.json: no such spec: there is no such file",
	} {
		if _, err := s.Find(name); !errors.Is(err, ErrNone) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestNoProject: without a project nothing is stored, and files can be read.
func TestNoProject(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Project = ""
	if err := s.Create("a", strings.NewReader("x")); !errors.Is(err, project.ErrNone) {
		t.Errorf("create: %v", err)
	}
	if _, err := s.Load("a"); !errors.Is(err, ErrNone) {
		t.Errorf("load: %v", err)
	}
	if err := s.Each(func(name, _ string, _ error) { t.Errorf("there is %s", name) }); err != nil {
		t.Error(err)
	}
	if got, err := s.Find(file); got != "text" || err != nil {
		t.Errorf("find: %q, %v", got, err)
	}
}
