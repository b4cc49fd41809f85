package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/consumer"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/settings"
	"weft/internal/trust"
)

// A Project is an open project. It is safe for concurrent use. The caller of
// [Open] must close it.
type Project struct {
	root     string // absolute
	dir      string // root/.weft
	settings settings.Settings
	fileEnv  settings.FileEnv
	foreign  error // why nothing is changed here, nor run, if it belongs to another user
	broker   *broker.Broker
	created  bool
	options  map[string]string // settings that its opener has given, by their variables
	log      *slog.Logger      // see [Options]
	trust    *trust.State
	notices  notices
	command  string                          // see [Options]
	started  atomic.Bool                     // a manager, through it
	leaves   atomic.Bool                     // the manager to others: see [Options].NoManager
	inline   atomic.Pointer[consumer.Inline] // while this program serves it
}

// Options are how a project is opened: see [Open]. The zero value is the default, which
// for a setting is what its environment variable says, or else the project's config.json:
// docs/configuration.md has them all. A setting that is given here holds for this Project
// and the managers that it starts; one out of its bounds is an error that names its
// variable.
type Options struct {
	// Durability is "full" or "normal". It belongs to the project, and counts when that
	// is created.
	Durability string
	// MaxTasks is how many tasks run at once.
	MaxTasks int
	// ManagerLifetime is how long a manager stays without work; less than 0 is for ever.
	ManagerLifetime time.Duration
	// ManagerReuse says whether a manager stays for later work at all.
	ManagerReuse *bool
	// Autostart says whether managers start the project's services.
	Autostart *bool
	// BusyTimeout is how long a write waits for a store that another process holds
	// without writing.
	BusyTimeout time.Duration
	// MaxMessageSize is the most bytes that a message may have.
	MaxMessageSize int
	// OutputMB is what is kept of what a task prints, in MiB, unless its spec says
	// otherwise.
	OutputMB int
	// Redact are paths into specs, such as "spec.args", that events and dumps do not
	// show.
	Redact []string
	// Retention bounds what is kept of tasks that have ended.
	Retention Retention
	// LogLevel is the least level that a manager logs, which is a process of its own.
	LogLevel slog.Leveler

	// Command is what was run, which the events of a task say has stopped it: "weft task stop".
	// Empty is the name of the program. It must hold no secret.
	Command string

	// Logger gets what [Project.Serve] does, unless [ServeOptions] name another; nil
	// discards it.
	Logger *slog.Logger
	// Notice, if it is not nil, is called, once for each reason, when a wait through the
	// Project takes some seconds because the manager or the task's consumer is stopped,
	// the manager does not come up, or the disk is full. It may be called on any
	// goroutine that waits.
	Notice func(text string)
	// NoManager makes the Project that of a client which only submits, looks and waits: no
	// call but [Manager.Start] starts a manager, so tasks wait for the program that serves,
	// and the program of the client need not call [Init].
	NoManager bool
	// NoFunctions leaves the project as it is, whatever functions this program has registered:
	// other programs do not call them there. It is for tools that share code with a service.
	NoFunctions bool
	// Trusted trusts the project, as [Project.Trust] does, whoever has made it. It is for a
	// service whose home folder, where that is recorded, does not survive its deploys.
	Trusted bool
	// AcceptPOSIXLocks opens the project although this process has used SQLite before
	// with locks that any other opening and closing of the store's files would drop. Set
	// it only if nothing in the process does that. Programs that call [Init] first do not
	// need it.
	AcceptPOSIXLocks bool
}

// variables are the settings among the options, under the names of their variables.
func (o Options) variables() map[string]string {
	v := make(map[string]string)
	text := func(name, value string) {
		if value != "" {
			v[name] = value
		}
	}
	number := func(name string, n int) {
		if n != 0 {
			v[name] = strconv.Itoa(n)
		}
	}
	span := func(name string, d time.Duration) {
		if d != 0 {
			v[name] = d.String()
		}
	}
	flag := func(name string, on *bool) {
		if on != nil {
			v[name] = strconv.FormatBool(*on)
		}
	}
	text("WEFT_DURABILITY", o.Durability)
	number("WEFT_MAX_TASKS", o.MaxTasks)
	span("WEFT_MANAGER_LIFETIME_TIMEOUT", o.ManagerLifetime)
	if o.ManagerLifetime < 0 {
		v["WEFT_MANAGER_LIFETIME_TIMEOUT"] = "0"
	}
	flag("WEFT_MANAGER_REUSE_ENABLED", o.ManagerReuse)
	flag("WEFT_AUTOSTART_TASKS", o.Autostart)
	span("WEFT_BUSY_TIMEOUT", o.BusyTimeout)
	number("WEFT_MAX_MESSAGE_SIZE", o.MaxMessageSize)
	number("WEFT_OUTPUT_MB", o.OutputMB)
	text("WEFT_REDACT_TASKSPEC_FIELDS", strings.Join(o.Redact, ","))
	bound := func(name string, n int64, text string) {
		if n < 0 {
			text = "never"
		}
		if n != 0 {
			v[name] = text
		}
	}
	keep := o.Retention
	bound("WEFT_RETENTION_AGE", int64(keep.Age), keep.Age.String())
	bound("WEFT_RETENTION_TASKS", int64(keep.Tasks), strconv.Itoa(keep.Tasks))
	bound("WEFT_RETENTION_OUTPUT", keep.OutputBytes, strconv.FormatInt(keep.OutputBytes, 10))
	bound("WEFT_RETENTION_KEYS", int64(keep.Keys), keep.Keys.String())
	if o.LogLevel != nil {
		v["WEFT_LOG_LEVEL"] = o.LogLevel.Level().String()
	}
	return v
}

// variable is what a setting's variable says: the option, else the environment, else the
// file that WEFT_ENV_FILE names. It is empty if none of them says anything.
func (p *Project) variable(name string) string {
	if v, ok := p.options[name]; ok {
		return v
	}
	return p.fileEnv.Lookup(name)
}

// Open opens the project in dir, that is in dir/.weft, and creates it if it is
// not there; dir itself must exist. It does not search upward; see [Find]. Of several Options the last count.
//
// Errors wrap [broker.ErrLockMode], [broker.ErrFilesystem],
// [broker.ErrNotStore], [broker.ErrNewer] or those of package os.
func Open(dir string, opts ...Options) (*Project, error) {
	return open(dir, opening{Options: last(opts)})
}

// last is the last of the options that a call was given, the zero value if it was given
// none.
func last[T any](opts []T) (o T) {
	if n := len(opts); n > 0 {
		o = opts[n-1]
	}
	return o
}

// opening is how a project is opened.
type opening struct {
	Options
	existing  bool              // create nothing
	autostart *bool             // what the settings of a project that is created say of services
	passed    map[string]string // the options of the client that has started this manager
}

func open(dir string, o opening) (*Project, error) {
	p, err := openProject(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open project: %w", err)
	}
	return p, nil
}

func openProject(dir string, o opening) (*Project, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// Tasks see the root under its real name, not under that
	// of a symbolic link that may go.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, o.absent(dir, err)
	}
	p := &Project{root: root, dir: filepath.Join(root, ledger.Dir), options: o.variables(), log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler))}
	p.leaves.Store(o.NoManager)
	if o.passed != nil {
		p.options = o.passed
	}
	p.notices.tell, p.command = o.Notice, o.Command
	if err := sqlite.CheckPath(p.dir); err != nil {
		return nil, err
	}
	if p.fileEnv, err = settings.ReadFileEnv(); err != nil {
		return nil, err
	}
	if p.foreign = project.CheckOwner(p.dir); p.foreign != nil {
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
	if p.settings, err = settings.Load(p.dir, p.created, p.variable); err != nil {
		return nil, err
	}
	switch {
	case p.created:
		if err := complete(p, made, o.autostart); err != nil {
			return nil, err
		}
	case !there:
		return nil, fmt.Errorf("%w in %s: its %s has no store yet", ErrNoProject, root, ledger.Dir)
	}
	p.broker, err = sqlite.Open(p.dir, sqlite.Options{
		Durability:       sqlite.ParseDurability(p.settings.Durability),
		BusyTimeout:      p.settings.BusyTimeout(),
		Options:          broker.Options{MaxMessage: p.settings.MaxMessage, Views: ledger.View, Shows: ledger.Shows},
		AcceptPOSIXLocks: o.AcceptPOSIXLocks,
		ReadOnly:         p.foreign,
	})
	if err != nil {
		return nil, err
	}
	p.trust = trust.New(p.root, p.broker, p.foreign)
	if p.foreign != nil {
		return p, nil
	}
	if !o.NoFunctions {
		if err := registerProgram(p.broker); err != nil {
			return nil, errors.Join(err, p.broker.Close())
		}
	}
	if made {
		// Nothing in it came from elsewhere. If that cannot be recorded, the
		// first call that needs trust says so.
		_ = p.trust.Record(context.Background(), true)
	}
	if o.Trusted && !made {
		held, _, err := p.trust.Quarantine(context.Background())
		if err == nil && held != 0 {
			err = p.Trust(context.Background())
		}
		if err != nil {
			return nil, errors.Join(err, p.broker.Close())
		}
	}
	return p, nil
}

// absent says that there is no project, if that is what err means.
func (o opening) absent(dir string, err error) error {
	if o.existing && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s", ErrNoProject, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s, make it first: %w", dir, err)
	}
	return err
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
	if err := p.settings.Save(p.dir, autostart); err != nil {
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
// project of another user, whose root it returns with an error that wraps [ErrOwner].
// [ErrNoProject] means that there is none.
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
			if err := project.CheckOwner(weft); err != nil {
				return dir, err // where it is: by its name it can be read
			}
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("find project: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir || dir == home || !project.SameFilesystem(dir, parent) {
			return "", fmt.Errorf("%w in %s or above", ErrNoProject, start)
		}
		dir = parent
	}
}

// Locate returns the root of the project that a command is about: dir if it is
// not empty, else the folder that WEFT_CONTEXT names, else what [Find] finds
// from the working directory upward. A folder that is named need not hold a
// project: that is for [Open] or [OpenExisting] to say.
func Locate(dir string) (root string, err error) {
	if dir != "" {
		return dir, nil
	}
	variables, err := settings.ReadFileEnv()
	if err != nil {
		return "", err
	}
	if dir = variables.Lookup(ledger.EnvContext); dir != "" {
		return dir, nil
	}
	return Find(".")
}

// OpenExisting is [Open] for a project that must be there: it creates nothing,
// and returns [ErrNoProject] where dir holds none, or only a folder .weft without a
// store, which may have come with a clone.
func OpenExisting(dir string, opts ...Options) (*Project, error) {
	return open(dir, opening{Options: last(opts), existing: true})
}

// Create is [Open] for a project that may need more than the folder dir: it
// creates dir too, and, if autostart is true, the folder of the manifests of
// services; if it is false, the new project's settings say that no manager starts
// services. What is there already stays.
func Create(dir string, autostart bool, opts ...Options) (*Project, error) {
	if err := errors.Join(project.CheckOwner(filepath.Join(dir, ledger.Dir)), os.MkdirAll(dir, 0o777)); err != nil {
		return nil, fmt.Errorf("create project: %w", err)
	}
	if !autostart {
		return open(dir, opening{Options: last(opts), autostart: &autostart})
	}
	p, err := Open(dir, opts...)
	if err != nil {
		return p, err
	}
	if err = project.Complete(p.dir); err == nil {
		err = project.MakeFolder(p.dir, autostartName)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create project: %w", err), p.Close())
	}
	return p, nil
}

// Environ is the environment that tasks are submitted with to a project: that of this
// process, and what the file has said that WEFT_ENV_FILE names when the project was
// opened.
func (p *Project) Environ() []string { return p.fileEnv.Environ() }

// Trust allows the project's services to start, and the tasks that waited there when
// the user first opened the project. It holds for this user, this path and this store.
func (p *Project) Trust(ctx context.Context) error { return setTrust(ctx, p, true) }

// Distrust withdraws [Project.Trust]. Running tasks go on.
func (p *Project) Distrust(ctx context.Context) error { return setTrust(ctx, p, false) }

func setTrust(ctx context.Context, p *Project, trusted bool) error {
	err := p.trust.Record(ctx, trusted)
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
	held, _, err := p.trust.Quarantine(ctx)
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
	s.Waiting, err = broker.View(ctx, p.broker, func(r broker.Reader) (int, error) { return ledger.CountQuarantined(r, held) })
	if err != nil {
		return s, fmt.Errorf("look at trust: %w", err)
	}
	return s, nil
}
