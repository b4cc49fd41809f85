package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/runner"
)

// A Project is an open project. It is safe for concurrent use. The caller of
// [Open] must close it.
type Project struct {
	root     string // absolute
	dir      string // root/.weft
	settings settings
	fileEnv  fileEnv
	broker   *broker.Broker
	created  bool
	// autostart is whether managers that it starts start services; nil if that is not
	// set: see [Autostart].
	autostart *bool
	trust     trustState
	notices   notices
	started   atomic.Bool                   // a manager, through it
	inline    atomic.Pointer[runner.Inline] // while this program serves it
}

// An Option changes how a project is opened.
type Option func(*options)

type options struct {
	posixLocks bool
	existing   bool  // create nothing
	autostart  *bool // of managers
	tell       func(string)
	store      *bool // the same for a project that is created
}

// AcceptPOSIXLocks opens the project although this process has used SQLite
// before with locks that any other opening and closing of the store's files
// would drop. Give it only if nothing in the process does that. Programs that
// call [Init] first do not need it.
func AcceptPOSIXLocks() Option { return func(o *options) { o.posixLocks = true } }

// Autostart sets whether managers that this Project starts start the project's
// services, whatever its settings and WEFT_AUTOSTART_TASKS say.
func Autostart(on bool) Option { return func(o *options) { o.autostart = &on } }

// Open opens the project in dir, that is in dir/.weft, and creates it if it is
// not there. It does not search upward; see [Find].
//
// Errors wrap [broker.ErrLockMode], [broker.ErrFilesystem],
// [broker.ErrNotStore], [broker.ErrNewer] or those of package os.
func Open(dir string, opts ...Option) (*Project, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	p, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open project: %w", err)
	}
	return p, nil
}

func open(dir string, o options) (*Project, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// Tasks see the root under its real name, not under that
	// of a symbolic link that may go.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, o.absent(dir, err)
	}
	p := &Project{root: root, dir: filepath.Join(root, ledger.Dir), autostart: o.autostart}
	p.notices.tell = o.tell
	if err := sqlite.CheckPath(p.dir); err != nil {
		return nil, err
	}
	if p.fileEnv, err = readFileEnv(); err != nil {
		return nil, err
	}
	if p.trust.foreign = foreign(p.dir); p.trust.foreign != nil {
		o.existing = true
	}
	made, err := enter(p.dir, o.existing)
	if err != nil {
		return nil, o.absent(dir, err)
	}
	// The store says whether the folder was completed; only then is there nothing
	// to do.
	there, err := sqlite.Exists(p.dir)
	if err != nil {
		return nil, err
	}
	p.created = !there && !o.existing
	if p.settings, err = loadSettings(p.dir, p.created, p.fileEnv); err != nil {
		return nil, err
	}
	switch {
	case p.created:
		if err := complete(p, made, o.store); err != nil {
			return nil, err
		}
	case !there:
		return nil, fmt.Errorf("%w in %s: its %s has no store yet", ErrNoProject, root, ledger.Dir)
	}
	p.broker, err = sqlite.Open(p.dir, sqlite.Options{
		Durability:       sqlite.ParseDurability(p.settings.Durability),
		BusyTimeout:      p.settings.busyTimeout(),
		Options:          broker.Options{MaxMessage: p.settings.MaxMessage, Views: ledger.View, Shows: ledger.Shows},
		AcceptPOSIXLocks: o.posixLocks,
		ReadOnly:         p.trust.foreign,
	})
	if err != nil {
		return nil, err
	}
	p.trust.root, p.trust.broker = p.root, p.broker
	if p.trust.foreign != nil {
		return p, nil
	}
	if err := registerProgram(p.broker); err != nil {
		return nil, errors.Join(err, p.broker.Close())
	}
	if made {
		// Nothing in it came from elsewhere. If that cannot be recorded, the
		// first call that needs trust says so.
		_ = p.trust.recordTrust(context.Background(), true)
	}
	return p, nil
}

// absent says that there is no project, if that is what err means.
func (o options) absent(dir string, err error) error {
	if o.existing && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s", ErrNoProject, dir)
	}
	return err
}

// foreign returns an error that wraps [ErrOwner] if the folder of a project is
// there and belongs to another user.
func foreign(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || project.Ours(info) {
		return nil // what is wrong with it shows when it is used
	}
	return fmt.Errorf("%w: run as its owner: sudo -u %s weft …", ErrOwner, ownerName(info))
}

// enter looks for the project's folder, and makes it unless it must be there. It
// reports whether it has made it.
func enter(dir string, existing bool) (made bool, err error) {
	if existing {
		return false, project.Check(dir)
	}
	return project.Make(dir)
}

// complete makes what is in the project's folder but the store. autostart is what its
// settings are to say of services, if that was said.
func complete(p *Project, made bool, autostart *bool) error {
	if err := project.Complete(p.dir); err != nil {
		return err
	}
	if err := p.settings.save(p.dir, autostart); err != nil {
		return err
	}
	p.settings.Autostart = cmp.Or(p.settings.Autostart, autostart)
	return project.Sync(p.dir, made)
}

// Root is the project's folder, the one that holds .weft, as an absolute path.
func (p *Project) Root() string { return p.root }

// Created reports whether Open has created the project.
func (p *Project) Created() bool { return p.created }

// Broker gives access to the project's queues and records.
func (p *Project) Broker() *broker.Broker { return p.broker }

// Queue names one of the project's queues.
func (p *Project) Queue(name string) *broker.Queue { return p.broker.Queue(name) }

// Close releases the project. Tasks go on, and so does the manager.
func (p *Project) Close() error { return p.broker.Close() }

// Find searches from dir upward for a project and returns its root. The search
// ends at the user's home folder, where another file system begins, and at a
// project of another user ([ErrOwner]). [ErrNoProject] means that there is
// none.
func Find(dir string) (root string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find project: %w", err)
	}
	home, _ := os.UserHomeDir()
	start := dir
	for {
		weft := filepath.Join(dir, ledger.Dir)
		_, err := os.Lstat(weft)
		switch {
		case err == nil:
			if err := foreign(weft); err != nil {
				return "", fmt.Errorf("%w, or only read it: --context %s", err, dir)
			}
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("find project: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir || dir == home || !sameFilesystem(dir, parent) {
			return "", fmt.Errorf("%w in %s or above", ErrNoProject, start)
		}
		dir = parent
	}
}
