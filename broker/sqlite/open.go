package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	driver "modernc.org/sqlite"

	"weft/broker"
	"weft/internal/notify"
	"weft/internal/project"
)

// Durability says when an acknowledged write is safe.
type Durability int

const (
	// Full means that a write survives a power failure once the call returns. It costs one
	// fsync for each commit, which waiting transactions share.
	Full Durability = iota
	// Normal means that a write survives the death of any process, while a power failure
	// may lose the last writes. Every process that opens the store must choose the same.
	Normal
)

// Options are the options of [Open]. The zero value is the default.
type Options struct {
	broker.Options
	Durability Durability
	// BusyTimeout is how long a call waits for a store that other processes hold without
	// writing to it, before it returns [broker.ErrBusy]; 0 means 30 s. While others write,
	// and so its turn comes nearer, a call continues to wait.
	BusyTimeout time.Duration
	// Existing means that the store must exist. Nothing is created, and the error wraps
	// [fs.ErrNotExist] if it does not.
	Existing bool
	// AcceptPOSIXLocks opens the store although this process already uses SQLite with POSIX
	// locks. It is safe only if no code in the process ever opens and closes the store's
	// files.
	AcceptPOSIXLocks bool
	// ReadOnly opens an existing store for reading only. It creates no files that would
	// lock out the store's owner, sends no notifications, and every write returns this
	// error.
	ReadOnly error
	// Now is the clock for ids, leases and delays; nil means [time.Now].
	Now func() time.Time
}

// defaultBusyTimeout is longer than a checkpoint on a slow disk and the start of many
// processes at once.
const defaultBusyTimeout = 30 * time.Second

// Name is the name of the store's file.
const Name = "broker.db"

// Open opens the store in the folder dir and creates what is missing: dir itself with mode
// 0700, the file with 0600. The caller closes the broker.
//
// Errors wrap [broker.ErrLockMode], [broker.ErrFilesystem], [broker.ErrNotStore],
// [broker.ErrNewer] or [broker.ErrFull].
func Open(dir string, o Options) (*broker.Broker, error) {
	s, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open store in %s: %w", dir, err)
	}
	o.Options.Now = o.Now
	return broker.New(s, o.Options), nil
}

// maxPath is the maximum length of the path of a database for SQLite: 512 bytes, less the
// suffix of its journal.
const maxPath = 512 - len("-journal")

// CheckPath returns an error if the folder dir cannot hold a store, before anything is
// created: its path may be too long for SQLite.
func CheckPath(dir string) error {
	path, err := filepath.Abs(filepath.Join(dir, Name))
	if err == nil && len(path) > maxPath {
		err = fmt.Errorf("the path of the store has %d bytes, SQLite takes at most %d: use a folder higher up", len(path), maxPath)
	}
	return err
}

// Exists reports whether dir holds a store, without opening it.
func Exists(dir string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir, Name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func open(dir string, o Options) (*store, error) {
	if err := CheckPath(dir); err != nil {
		return nil, err
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = defaultBusyTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := safeLocks(); err != nil && !o.AcceptPOSIXLocks {
		return nil, err
	}
	dir, err := filepath.Abs(dir) // a later chdir must not change the store
	if err != nil {
		return nil, err
	}
	path, created := filepath.Join(dir, Name), false
	if o.ReadOnly == nil && !o.Existing {
		path, created, err = create0600(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFilesystem(dir); err != nil {
		if created {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, err
	}
	place, err := newPlace(path)
	if err != nil {
		return nil, err
	}
	mode := "rw" // a connection that is opened later must not create a file
	if o.ReadOnly != nil {
		mode = "ro"
	}
	connector, err := driver.NewConnector(dsn(path, mode, o.Durability))
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "sqlite")
	connect := func() (*conn, error) { return connect(db, place, o.Now) }
	s := &store{
		db:      db,
		place:   place,
		writer:  &committer{open: connect, ballast: newBallast(dir), patience: o.BusyTimeout, turns: turns{dir: dir}},
		readers: readers{open: connect, slot: make(chan struct{}, maxReaders), done: make(chan struct{})},
		changes: changes{open: connect},
		refusal: o.ReadOnly,
	}
	s.writer.free.L = &s.writer.mu
	s.closing = sync.OnceValue(s.close)
	if err := s.start(created); err != nil {
		return nil, errors.Join(err, s.writer.close(), db.Close())
	}
	if o.ReadOnly != nil {
		s.notifier = notify.PollOnly(s.changes.number)
		return s, nil
	}
	if s.notifier, err = notify.Open(filepath.Join(dir, "bells"), s.changes.number); err != nil {
		return nil, errors.Join(err, s.writer.close(), db.Close())
	}
	return s, nil
}

// connect opens a connection to the file at place, and to no other.
func connect(db *sqlx.DB, place *place, now func() time.Time) (*conn, error) {
	if err := place.find(); err != nil {
		return nil, err
	}
	sx, err := db.Connx(context.Background())
	if gone := place.find(); gone != nil { // it may have gone in between
		if err == nil {
			_ = sx.Close()
		}
		return nil, gone
	}
	if err != nil {
		return nil, translate(place.path, err)
	}
	return &conn{sx: sx, path: place.path, now: now}, nil
}

// start opens the connection for writing and prepares the schema.
func (s *store) start(created bool) error {
	err := retryBusy(context.Background(), time.Time{}, s.writer.patience, func() error {
		if err := s.writer.connect(); err != nil {
			return err
		}
		return translate(s.place.path, ready(context.Background(), s.writer.conn, s.refusal == nil))
	})
	if err == nil && created {
		err = s.writer.ballast.make()
	}
	return err
}

// create0600 makes sure that dir and the store's file exist, from the start with modes that
// exclude other users. SQLite would create the file readable for all; its log files get the
// mode of the file.
func create0600(dir string) (path string, created bool, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", false, err
	}
	path = filepath.Join(dir, Name)
	if err := checkFiles(path); err != nil {
		return "", false, err
	}
	// O_EXCL: an existing file is never opened here, see the package comment.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, false, nil
	}
	if err != nil {
		return "", false, err
	}
	return path, true, f.Close()
}

// checkFiles refuses files that SQLite would follow to another place, share with another
// store, or wait for.
func checkFiles(path string) error {
	for _, ending := range []string{"", "-wal", "-shm", "-journal"} {
		if err := project.CheckFile(path + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// logBytes is the size to which the log is truncated after a long reader has made it grow:
// twice its size between two of SQLite's own checkpoints (1,000 pages).
const logBytes = 8 << 20

// dsn returns the URI of the database, to be opened in the given mode. It must be escaped:
// in a plain path a '?' would end the name, and the store would be elsewhere.
func dsn(path, mode string, d Durability) string {
	// SQLite's own busy timeout is off: see retryBusy.
	options := "mode=" + mode + "&_dqs=0&_defensive=1&_pragma=busy_timeout(0)&_pragma=journal_size_limit(" + strconv.Itoa(logBytes) + ")"
	if d == Normal {
		options += "&_pragma=synchronous(normal)"
	} else {
		options += "&_pragma=synchronous(full)"
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… would be taken for the name of a host
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: options}
	return u.String()
}

// String returns the name that [ParseDurability] parses: "full" or "normal".
func (d Durability) String() string {
	if d == Normal {
		return "normal"
	}
	return "full"
}

// ParseDurability parses the name of a durability; an unknown one is [Full], the safe one.
func ParseDurability(name string) Durability {
	if name == Normal.String() {
		return Normal
	}
	return Full
}
