package broker

import "errors"

// Errors that callers branch on. They are wrapped with the operation and the queue; test
// for them with [errors.Is].
var (
	// ErrEmpty means that the queue holds no message that the call asked for.
	ErrEmpty = errors.New("no message")
	// ErrNotFound means that there is no such record, or alias.
	ErrNotFound = errors.New("not found")
	// ErrLeaseLost means that the lease has ended and another has received the message, or
	// that the message was acknowledged, given back or taken.
	ErrLeaseLost = errors.New("lease is lost")
	// ErrName means that the queue name breaks the rules of [CheckName].
	ErrName = errors.New("invalid queue name")
	// ErrID means that the text is not a message id; see [ParseID].
	ErrID = errors.New("invalid message id")
	// ErrNoIDs means that the store has lost its count of ids, or has assigned the last
	// one. See [SpentIDs].
	ErrNoIDs = errors.New("the store's count of message ids is damaged: weft system repair")
	// ErrBody means that the message is not UTF-8.
	ErrBody = errors.New("message is not valid UTF-8")
	// ErrTooLarge means that the message is larger than the store accepts, by default
	// [MaxMessageBytes].
	ErrTooLarge = errors.New("message too large")
	// ErrSameQueue means that a move names one queue as source and destination.
	ErrSameQueue = errors.New("source and destination are the same queue")
	// ErrExists means that what was to be made exists already: the queue of the new name in
	// a rename, an alias, a message with the id of one that is to be restored.
	ErrExists = errors.New("already exists")
	// ErrView means that the queue only shows other content of the store; see [Options].
	ErrView = errors.New("queue is a view: it can only be peeked")
	// ErrAlias means that the name, or the queue, cannot be that of an alias.
	ErrAlias = errors.New("invalid alias")
	// ErrPattern means that the text breaks the rules of [Glob].
	ErrPattern = errors.New("invalid pattern")
	// ErrDump means that the input is not a dump, or is damaged.
	ErrDump = errors.New("bad dump")
	// ErrDamaged means that a record or message does not have the content that it should
	// have. It affects nothing else.
	ErrDamaged = errors.New("damaged")
	// ErrFuture means that the dump has ids that are far ahead of the clock.
	ErrFuture = errors.New("ids from the future")
	// ErrConflict means that the dump contradicts the content of the store.
	ErrConflict = errors.New("conflict")
	// ErrNested means that a function given to [Broker.Update] called the broker. It would
	// wait for itself; it must use its Tx.
	ErrNested = errors.New("broker called inside Update: use the transaction")
	// ErrClosed means that the broker has been closed.
	ErrClosed = errors.New("broker is closed")
	// ErrBusy means that other processes held the store for longer than the busy timeout.
	ErrBusy = errors.New("store is busy")
	// ErrFull means that the disk is full. Nothing was written; the call may be repeated
	// when there is room again.
	ErrFull = errors.New("no space left for the store")
	// ErrUnwritable means that the system refuses to write the store for another reason
	// than lack of room: a limit on the size of files, a file system that is mounted
	// read-only, or a failing disk. Nothing was written; the call may be repeated.
	ErrUnwritable = errors.New("store cannot be written")
	// ErrGone means that the file of the store has been removed since it was opened, or
	// that another one has replaced it. The caller may open the store again.
	ErrGone = errors.New("store is gone")
	// ErrUncertain means that the storage failed during the commit. The change may or may
	// not be there; read before repeating it.
	ErrUncertain = errors.New("storage failed during commit, outcome unknown")
	// ErrCorrupt means that SQLite finds the file of the store damaged: what is in it cannot be
	// relied on, and it is to be restored from a backup.
	ErrCorrupt = errors.New("store is damaged")
	// ErrNotStore means that the file is not a Weft store.
	ErrNotStore = errors.New("not a weft store")
	// ErrNewer means that the store was made by a newer Weft. It is not changed.
	ErrNewer = errors.New("store was made by a newer weft")
	// ErrLockMode means that this process already uses SQLite with locks that the kernel
	// drops when any other descriptor of the file is closed. See [weft/broker/sqlite].
	ErrLockMode = errors.New("sqlite is already in use with unsafe file locks")
	// ErrFilesystem means that the file system cannot hold a store that processes share.
	ErrFilesystem = errors.New("file system cannot hold a weft store")
)
