package weft

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

// A project may have come with a clone, an archive or another user. What is in such a
// project must not run without being asked. So the user's state folder, outside the
// tree, records which projects the user trusts: those the user created, and those the
// user has named since. For any other project it records the last id that was seen on
// the first use. What is not newer is quarantined; what the user submits runs.

// trustRecord is the content of the file about one project.
type trustRecord struct {
	Path    taskspec.RawString `json:"path"`  // the project's root
	Store   string             `json:"store"` // the id of its store
	Trusted bool               `json:"trusted"`
	// Since is the last seen id: the newest one when the user first opened the
	// project, or ceased to trust it.
	Since broker.ID `json:"since,string"`
}

// trustState is the trust state of a Project.
type trustState struct {
	root    string
	broker  *broker.Broker
	foreign error // why nothing is submitted here, nor run, if it belongs to another user

	mu       sync.Mutex
	observed bool // there is a file about it, or since is set
	// since is what the file should say, if it could not be written.
	since broker.ID
	store string // the id of the store, once it is known
}

// Trust allows the project's services to start, and the tasks that waited there when
// the user first opened the project. It holds for this user, this path and this store.
func (p *Project) Trust(ctx context.Context) error { return setTrust(ctx, p, true) }

// Distrust withdraws [Project.Trust]. Running tasks go on.
func (p *Project) Distrust(ctx context.Context) error { return setTrust(ctx, p, false) }

func setTrust(ctx context.Context, p *Project, trusted bool) error {
	err := p.trust.recordTrust(ctx, trusted)
	if err == nil {
		err = p.broker.Update(ctx, func(tx *broker.Tx) error {
			tx.Notify(ledger.Services)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("trust project: %w", err)
	}
	return nil
}

// A TrustStatus says whether a project is trusted, and what is quarantined if not.
type TrustStatus struct {
	Trusted  bool
	Services int // that are not started
	Waiting  int // tasks that are not started
}

// String returns one line; it is empty if nothing is quarantined.
func (s TrustStatus) String() string {
	if s.Trusted || s.Services+s.Waiting == 0 {
		return ""
	}
	return fmt.Sprintf("project is not trusted: %s and %s of it are not started", counted(s.Services, "service"), counted(s.Waiting, "waiting task"))
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// TrustStatus returns whether the project is trusted. It changes nothing.
func (p *Project) TrustStatus(ctx context.Context) (s TrustStatus, err error) {
	held, _, err := p.trust.quarantine(ctx)
	if err != nil {
		return s, fmt.Errorf("look at trust: %w", err)
	}
	if held == 0 {
		return TrustStatus{Trusted: true}, nil
	}
	for _, d := range manifests(p.dir) {
		if d.Manifest != nil {
			s.Services++
		}
	}
	err = p.broker.View(ctx, func(r broker.Reader) (err error) {
		s.Waiting, err = ledger.CountQuarantined(r, held)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("look at trust: %w", err)
	}
	return s, nil
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

// trustFile is the file about the project.
func (a *trustState) trustFile(ctx context.Context) (string, error) {
	dir, err := stateDir()
	if err != nil {
		return "", err
	}
	store, err := a.storeID(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(store + "\x00" + a.root))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".json"), nil
}

// storeID is the id of the store. It is read once.
func (a *trustState) storeID(ctx context.Context) (id string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store == "" {
		a.store, err = a.broker.StoreID(ctx)
	}
	return a.store, err
}

// readTrust reads what is known of the project; an error that wraps
// [fs.ErrNotExist] means that it is a stranger's.
func (a *trustState) readTrust(ctx context.Context) (t trustRecord, err error) {
	path, err := a.trustFile(ctx)
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
	store, err := a.storeID(ctx)
	if err != nil {
		return t, err
	}
	if json.Unmarshal(data, &t) != nil || string(t.Path) != a.root || t.Store != store {
		return trustRecord{}, fs.ErrNotExist // it was damaged
	}
	return t, nil
}

// recordTrust records whether the project is trusted, in the place of what was
// known.
func (a *trustState) recordTrust(ctx context.Context, trusted bool) error {
	since, err := a.lastID(ctx)
	if err != nil {
		return err
	}
	return a.writeTrust(ctx, trusted, since, os.Rename)
}

// writeTrust writes the file about the project beside its place, and puts it there.
func (a *trustState) writeTrust(ctx context.Context, trusted bool, since broker.ID, place func(from, to string) error) error {
	path, err := a.trustFile(ctx)
	if err != nil {
		return err
	}
	store, err := a.storeID(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(trustRecord{taskspec.RawString(a.root), store, trusted, since})
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
func (a *trustState) lastID(ctx context.Context) (since broker.ID, err error) {
	err = a.broker.View(ctx, func(r broker.Reader) (err error) {
		since, err = ledger.LastID(r)
		return err
	})
	return since, err
}

// observe takes note of what is in the project, unless that was done before, and by
// whomever. It comes before this user submits anything, and before anything is
// run. In a project of another user neither may be.
func (a *trustState) observe(ctx context.Context) error {
	if a.foreign != nil {
		return a.foreign
	}
	a.mu.Lock()
	met := a.observed || a.since != 0
	a.mu.Unlock()
	if met {
		return nil
	}
	since, err := broker.ID(0), a.isRecorded(ctx)
	if err != nil {
		if since, err = a.lastID(ctx); err != nil {
			return fmt.Errorf("look at what is in the project: %w", err)
		}
		since = max(since, 1)
		// The first record has the lowest id.
		err = a.writeTrust(ctx, false, since, os.Link)
		if err == nil || errors.Is(err, fs.ErrExist) && a.isRecorded(ctx) == nil {
			since = 0
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.observed, a.since = true, since
	return nil
}

// lower says what there was when this user first came once more, if ids can be lower
// now: what he submits would be held back for ever.
func (a *trustState) lower(ctx context.Context) error {
	held, _, err := a.quarantine(ctx)
	if err != nil || held == 0 {
		return err
	}
	last, err := a.lastID(ctx)
	if err != nil || held <= last {
		return err
	}
	return a.recordTrust(ctx, false)
}

// isRecorded returns nil if there is a file about the project, in which there is
// something.
func (a *trustState) isRecorded(ctx context.Context) error {
	path, err := a.trustFile(ctx)
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

// quarantine returns the last id of the requests that are not to be run; 0 if the
// project is trusted. recorded says that the file about it does. It changes
// nothing.
func (a *trustState) quarantine(ctx context.Context) (held broker.ID, recorded bool, err error) {
	t, err := a.readTrust(ctx)
	switch {
	case err == nil && t.Trusted:
		return 0, true, nil
	case err == nil:
		return max(t.Since, 1), true, nil
	}
	// There is no file, or none that can be read.
	if since := a.unrecordedSince(); since != 0 {
		return since, false, nil
	}
	held, err = a.lastID(ctx)
	return max(held, 1), false, err
}

// quarantined is quarantine for managers and programs that run tasks. A project whose
// state cannot be read is not trusted.
func (a *trustState) quarantined() broker.ID {
	held, recorded, err := a.quarantine(context.Background())
	if err != nil {
		return math.MaxInt64
	}
	if !recorded {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.since = held // what comes later is not older
	}
	return held
}

// unrecordedSince is what should be known of the project and could not be written.
func (a *trustState) unrecordedSince() broker.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since
}
