// Package trust remembers which projects a user trusts.
//
// A project may have come with a clone, an archive or another user. What is in such a
// project must not run without being asked. So the user's state folder, outside the
// tree, records which projects the user trusts: those the user created, and those the
// user has named since. For any other project it records the last id that was seen on
// the first use. What is not newer is quarantined; what the user submits runs.
package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// record is the content of the file about one project.
type record struct {
	Path    taskspec.RawString `json:"path"`  // the project's root
	Store   string             `json:"store"` // the id of its store
	Trusted bool               `json:"trusted"`
	// Since is the last seen id: the newest one when the user first opened the
	// project, or ceased to trust it.
	Since broker.ID `json:"since,string"`
}

// A State is what is known of an open project. It is safe for concurrent use.
type State struct {
	root    string
	broker  *broker.Broker
	foreign error

	mu       sync.Mutex
	observed bool // there is a file about it, or since is set
	// since is what the file should say, if it could not be written.
	since broker.ID
	store string // the id of the store, once it is known
}

// New is what is known of the project in the folder root. If foreign is not nil, the
// project belongs to another user: nothing is submitted or run there, because of it.
func New(root string, b *broker.Broker, foreign error) *State {
	return &State{root: root, broker: b, foreign: foreign}
}

// See takes over what another process has seen and could not record: see
// [State.UnrecordedSince].
func (s *State) See(since broker.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = since
}

// stateDir is where this user keeps what programs remember.
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "weft"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, "weft"), err
	}
	home, err := os.UserHomeDir()
	if err == nil && !filepath.IsAbs(home) {
		err = fmt.Errorf("home folder %q is not absolute", home)
	}
	return filepath.Join(home, ".local", "state", "weft"), err
}

// file is the file about the project.
func (s *State) file(ctx context.Context) (string, error) {
	dir, err := stateDir()
	if err != nil {
		return "", err
	}
	store, err := s.storeID(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(store + "\x00" + s.root))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".json"), nil
}

// storeID is the id of the store. It is read once.
func (s *State) storeID(ctx context.Context) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == "" {
		s.store, err = s.broker.StoreID(ctx)
	}
	return s.store, err
}

// read reads what is known of the project; an error that wraps
// [fs.ErrNotExist] means that it is a stranger's.
func (s *State) read(ctx context.Context) (t record, err error) {
	path, err := s.file(ctx)
	if err != nil {
		return t, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return t, err
	}
	if !genuine(info) {
		return t, fs.ErrNotExist
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	store, err := s.storeID(ctx)
	if err != nil {
		return t, err
	}
	if json.Unmarshal(data, &t) != nil || string(t.Path) != s.root || t.Store != store {
		return record{}, fs.ErrNotExist // it was damaged
	}
	return t, nil
}

// Record records whether the project is trusted, in the place of what was
// known.
func (s *State) Record(ctx context.Context, trusted bool) error {
	since, err := s.lastID(ctx)
	if err != nil {
		return err
	}
	return s.write(ctx, trusted, since, os.Rename)
}

// write writes the file about the project beside its place, and puts it there.
func (s *State) write(ctx context.Context, trusted bool, since broker.ID, place func(from, to string) error) error {
	path, err := s.file(ctx)
	if err != nil {
		return err
	}
	store, err := s.storeID(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(record{taskspec.RawString(s.root), store, trusted, since})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new.*") // created with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return place(f.Name(), path)
}

// lastID is the last id of what is in the store now.
func (s *State) lastID(ctx context.Context) (broker.ID, error) {
	return broker.View(ctx, s.broker, func(r broker.Reader) (broker.ID, error) { return ledger.LastID(r) })
}

// Observe takes note of what is in the project, unless that was done before, and by
// whomever. It comes before this user submits anything, and before anything is
// run. In a project of another user neither may be.
func (s *State) Observe(ctx context.Context) error {
	if s.foreign != nil {
		return s.foreign
	}
	s.mu.Lock()
	known := s.observed || s.since != 0
	s.mu.Unlock()
	if known {
		return nil
	}
	since, err := broker.ID(0), s.isRecorded(ctx)
	if err != nil {
		if since, err = s.lastID(ctx); err != nil {
			return fmt.Errorf("look at what is in the project: %w", err)
		}
		since = max(since, 1)
		// The first record has the lowest id.
		err = s.write(ctx, false, since, os.Link)
		if err == nil || errors.Is(err, fs.ErrExist) && s.isRecorded(ctx) == nil {
			since = 0
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observed, s.since = true, since
	return nil
}

// Lower says what there was when this user first came once more, if ids can be lower
// now: what he submits would be held back for ever.
func (s *State) Lower(ctx context.Context) error {
	held, _, err := s.Quarantine(ctx)
	if err != nil || held == 0 {
		return err
	}
	last, err := s.lastID(ctx)
	if err != nil || held <= last {
		return err
	}
	return s.Record(ctx, false)
}

// isRecorded returns nil if there is a file about the project, in which there is
// something.
func (s *State) isRecorded(ctx context.Context) error {
	path, err := s.file(ctx)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err == nil && (info.Size() == 0 || !genuine(info)) {
		err = fs.ErrNotExist
	}
	return err
}

// genuine reports whether a file may say what this user trusts: no other user says
// that.
func genuine(info fs.FileInfo) bool { return info.Mode().IsRegular() && project.Ours(info) }

// Quarantine returns the last id of the requests that are not to be run; 0 if the
// project is trusted. recorded says that the file about it does. It changes
// nothing.
func (s *State) Quarantine(ctx context.Context) (held broker.ID, recorded bool, err error) {
	t, err := s.read(ctx)
	switch {
	case err == nil && t.Trusted:
		return 0, true, nil
	case err == nil:
		return max(t.Since, 1), true, nil
	}
	// There is no file, or none that can be read.
	if since := s.UnrecordedSince(); since != 0 {
		return since, false, nil
	}
	held, err = s.lastID(ctx)
	return max(held, 1), false, err
}

// Quarantined is [State.Quarantine] for managers and programs that run tasks. A project whose
// state cannot be read is not trusted.
func (s *State) Quarantined() broker.ID {
	held, recorded, err := s.Quarantine(context.Background())
	if err != nil {
		return math.MaxInt64
	}
	if !recorded {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.since = held // what comes later is not older
	}
	return held
}

// UnrecordedSince is what should be known of the project and could not be written.
func (s *State) UnrecordedSince() broker.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}
