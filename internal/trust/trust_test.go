package trust

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
)

// A folder is a project in which something lies, and a user's state folder.
type folder struct {
	*testing.T
	root string
	b    *broker.Broker
	last broker.ID // of what lies in it
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	root := t.TempDir()
	b, err := sqlite.Open(filepath.Join(root, ledger.Dir), sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	f := &folder{T: t, root: root, b: b}
	f.last = f.write()
	return f
}

// write puts something into the project and returns its id.
func (f *folder) write() broker.ID {
	f.Helper()
	id, err := f.b.Queue("some").Write(f.Context(), "thing")
	if err != nil {
		f.Fatal(err)
	}
	return id
}

// opened is the state of the project for a process that opens it.
func (f *folder) opened() *State { return New(f.root, f.b, nil) }

// file is the path of the file about the project.
func (f *folder) file() string {
	f.Helper()
	path, err := f.opened().file(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return path
}

// wantHeld fails the test unless another process sees that this is quarantined.
func (f *folder) wantHeld(want broker.ID, recorded bool) {
	f.Helper()
	held, is, err := f.opened().Quarantine(f.Context())
	if err != nil || held != want || is != recorded {
		f.Errorf("quarantined up to %d, recorded %v, %v; want %d, %v", held, is, err, want, recorded)
	}
}

// TestObserve: what lay in a project when its user first came is quarantined, what comes
// later is not, whoever else looks.
func TestObserve(t *testing.T) {
	f := newFolder(t)
	for range 2 {
		if err := f.opened().Observe(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.write()
		f.wantHeld(f.last, true)
	}
	for _, trusted := range []bool{true, false} {
		if err := f.opened().Record(t.Context(), trusted); err != nil {
			t.Fatal(err)
		}
		last := f.write() - 1
		if held := f.opened().Quarantined(); trusted != (held == 0) || held > last {
			t.Errorf("trusted %v: quarantined up to %d of %d", trusted, held, last)
		}
	}
}

// TestFile: a file says something only if this user wrote it about this project.
func TestFile(t *testing.T) {
	f := newFolder(t)
	if err := f.opened().Record(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	path := f.file()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := newFolder(t) // has another state folder from now on
	path = f.file()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(t.TempDir(), "aside")
	if err := os.WriteFile(aside, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		make    func() error
		trusted bool
	}{
		"as it was written": {func() error { return os.WriteFile(path, good, 0o600) }, true},
		"nothing":           {func() error { return nil }, false},
		"empty":             {func() error { return os.WriteFile(path, nil, 0o600) }, false},
		"cut off":           {func() error { return os.WriteFile(path, good[:len(good)/2], 0o600) }, false},
		"about another folder": {func() error {
			return os.WriteFile(path, []byte(`{"path":"/x","store":"s","trusted":true,"since":"0"}`), 0o600)
		}, false},
		"a link to a good one": {func() error { return os.Symlink(aside, path) }, false},
		"a folder":             {func() error { return os.Mkdir(path, 0o700) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.make(); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			f := &folder{T: t, root: f.root, b: f.b}
			if test.trusted {
				f.wantHeld(0, true)
			} else if held := f.opened().Quarantined(); held == 0 {
				t.Error("the project is trusted")
			}
		})
	}
	other.wantHeld(other.last, false) // that one project is trusted says nothing of another
}

// TestUnwritable: where nothing can be remembered, what lay in the project is quarantined
// all the same, and a process can tell the one that it starts.
func TestUnwritable(t *testing.T) {
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	s := f.opened()
	if err := s.Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.write()
	if since := s.UnrecordedSince(); since != f.last || s.Quarantined() != f.last {
		t.Errorf("unrecorded since %d, want %d", since, f.last)
	}
	started := f.opened()
	started.See(s.UnrecordedSince())
	if held := started.Quarantined(); held != f.last {
		t.Errorf("the process that was started quarantines up to %d, want %d", held, f.last)
	}
}

// TestForeign: nothing is submitted in a project of another user, and nothing remembered.
func TestForeign(t *testing.T) {
	f := newFolder(t)
	foreign := errors.New("it is somebody else's")
	if err := New(f.root, f.b, foreign).Observe(t.Context()); !errors.Is(err, foreign) {
		t.Errorf("observe: %v", err)
	}
	if _, err := os.Lstat(f.file()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}

// TestLower: where ids are lower than what is quarantined, that is looked up once more.
func TestLower(t *testing.T) {
	f := newFolder(t)
	s := f.opened()
	for _, since := range []broker.ID{f.last - 1, f.last + 1<<40} {
		if err := s.write(t.Context(), false, since, os.Rename); err != nil {
			t.Fatal(err)
		}
		if err := s.Lower(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantHeld(min(since, f.last), true)
	}
}
