package broker

import "errors"

// Errors that callers branch on. They come wrapped with the verb and the
// queue they concern; test with [errors.Is].
var (
	// ErrEmpty: the queue holds no message that the call asked for.
	ErrEmpty = errors.New("no message")
	// ErrNotFound: there is no such record, or alias.
	ErrNotFound = errors.New("not found")
	// ErrName: the queue name breaks the rules of [CheckName].
	ErrName = errors.New("invalid queue name")
	// ErrID: the text is no message id; see [ParseID].
	ErrID = errors.New("invalid message id")
	// ErrNoIDs: the store has lost its count of ids, or has given the last one. See
	// [SpentIDs].
	ErrNoIDs = errors.New("the store's count of message ids is damaged: weft system repair")
	// ErrBody: the message is not UTF-8.
	ErrBody = errors.New("message is not valid UTF-8")
	// ErrTooLarge: the message is larger than the store accepts, by default
	// [MaxMessageBytes].
	ErrTooLarge = errors.New("message too large")
	// ErrSameQueue: a move names one queue as source and destination.
	ErrSameQueue = errors.New("source and destination are the same queue")
	// ErrExists: what was to be made is there already: the queue a rename leads
	// to, an alias, a message with the id of one that is to be restored.
	ErrExists = errors.New("already exists")
	// ErrView: the queue only shows what is kept elsewhere in the store; see
	// [Options].
	ErrView = errors.New("queue is a view: it can only be peeked")
	// ErrAlias: the name, or the queue, cannot be that of an alias.
	ErrAlias = errors.New("invalid alias")
	// ErrPattern: the text breaks the rules of [Glob].
	ErrPattern = errors.New("invalid pattern")
	// ErrDump: what is to be loaded is not a dump, or is damaged.
	ErrDump = errors.New("bad dump")
	// ErrDamaged: a record or message cannot be read by who knows what it should hold.
	// It concerns nothing else.
	ErrDamaged = errors.New("damaged")
	// ErrFuture: what is to be loaded has ids that are far ahead of the clock.
	ErrFuture = errors.New("ids from the future")
	// ErrConflict: what is to be loaded contradicts what is in the store.
	ErrConflict = errors.New("conflict")
	// ErrNested: a function given to [Broker.Update] called the broker. It
	// would wait for itself; it must use its Tx.
	ErrNested = errors.New("broker called inside Update: use the transaction")
	// ErrClosed: the broker has been closed.
	ErrClosed = errors.New("broker is closed")
	// ErrBusy: other processes held the store for longer than the busy timeout.
	ErrBusy = errors.New("store is busy")
	// ErrFull: the disk leaves no room. Nothing was written; the call may be
	// repeated when there is room again.
	ErrFull = errors.New("no space left for the store")
	// ErrUnwritable: the system refuses to write the store, and not for want of
	// room: because of a limit on the size of files, a file system that is mounted
	// for reading only, or a disk that fails. Nothing was written; the call may be
	// repeated.
	ErrUnwritable = errors.New("store cannot be written")
	// ErrGone: the file of the store has been removed since it was opened, or
	// another one is in its place. Whoever needs a store opens one anew.
	ErrGone = errors.New("store is gone")
	// ErrUncertain: the storage failed at the moment of the commit. The change
	// may or may not be there; read before repeating it.
	ErrUncertain = errors.New("storage failed during commit, outcome unknown")
	// ErrNotStore: the file is not a Weft store.
	ErrNotStore = errors.New("not a weft store")
	// ErrNewer: the store was made by a newer Weft. It is left untouched.
	ErrNewer = errors.New("store was made by a newer weft")
	// ErrLockMode: this process already uses SQLite with locks that any other
	// opening and closing of the file would drop. See [weft/broker/sqlite].
	ErrLockMode = errors.New("sqlite is already in use with unsafe file locks")
	// ErrFilesystem: the file system cannot hold a store that processes share.
	ErrFilesystem = errors.New("file system cannot hold a weft store")
)
