package broker

import "context"

// A Backend stores messages and records. Every kind of store implements it;
// [weft/broker/brokertest] is the suite it must pass. Names and bodies that it receives
// have been checked.
type Backend interface {
	// Update runs fn, on the calling goroutine, in one transaction that commits whole or
	// not at all. It may share the commit with other callers' transactions and may run fn
	// more than once; only the last run counts. An error of fn is returned as it is and
	// rolls back fn's changes alone; so do a panic of fn and the end of the goroutine,
	// which do not affect other callers. Cancelling ctx before fn has started returns its
	// error; after that Update waits for the commit.
	Update(ctx context.Context, fn func(BackendTx) error) error
	// UpdateOne is Update for an fn that makes exactly one call on its BackendTx, which saves the
	// backend an explicit transaction.
	UpdateOne(ctx context.Context, fn func(BackendTx) error) error
	// View runs fn on one consistent state of the store.
	View(ctx context.Context, fn func(Reader) error) error
	// ViewOne is View for an fn that makes exactly one call on its Reader.
	ViewOne(ctx context.Context, fn func(Reader) error) error
	// Nested reports whether the calling goroutine is inside a function that was given to
	// Update.
	Nested() bool
	// Notify wakes the listeners of the queues, in every process.
	Notify(queues ...string) error
	// Listen subscribes to notifications of the queues.
	Listen(queues ...string) (Listener, error)
	// Compact shrinks the store to what it holds.
	Compact(ctx context.Context) error
	// Flush moves all committed changes into the store's own file, so that a copy of the
	// file is complete, unless another process reads.
	Flush(ctx context.Context) error
	// Close waits for running transactions and releases the store.
	Close() error
}

// A Reader reads the store.
type Reader interface {
	// Messages returns the selected messages of queue in id order.
	Messages(queue string, sel Select) ([]Message, error)
	// Scan calls fn with the selected messages of queue, or of all queues if queue is
	// empty, in id order, until fn returns false. It keeps one message in memory.
	Scan(queue string, sel Select, fn func(Message) (more bool)) error
	// Queues returns the names of the queues that hold messages, in byte order, starting
	// with first, at most limit.
	Queues(first string, limit int) ([]string, error)
	// Stats counts a queue's messages.
	Stats(queue string) (Stats, error)
	// AllStats is Stats of the queues that Queues returns.
	AllStats(first string, limit int) ([]Stats, error)
	// Record returns a record or [ErrNotFound].
	Record(kind, key string) (Record, error)
	// Records returns the selected records of kind ordered by rank, then key.
	Records(kind string, sel RecordSelect) ([]Record, error)
	// CountRecords counts the records of kind by their states.
	CountRecords(kind string) (map[string]int, error)
	// States returns the states that records of kind have, in byte order, starting with
	// first. Its cost does not grow with the number of records.
	States(kind, first string) ([]string, error)
	// Kinds returns the kinds of which there are records, in byte order.
	Kinds() ([]string, error)
	// ID is that of Info, at less cost.
	ID() (string, error)
	// Info describes the store.
	Info() (Info, error)
}

// A BackendTx reads and changes the store inside a transaction, for a [Tx].
type BackendTx interface {
	Reader
	// Insert appends a message under a new id that is greater than every id that the store
	// has assigned.
	Insert(queue, body string) (ID, error)
	// InsertAll is Insert for each body, in order.
	InsertAll(queue string, bodies []string) ([]ID, error)
	// NewID assigns an id like that of a new message, without a message.
	NewID() (ID, error)
	// Restore adds messages under the ids they have. [ErrExists] means that one of the ids
	// is in use; the transaction must then be abandoned.
	Restore(ms []Message) error
	// Advance makes every new id greater than id.
	Advance(id ID) error
	// ResetIDs makes the next id greater than those of all messages, and than the ranks up
	// to most of all records, and forgets greater ones.
	ResetIDs(most ID) error
	// Take deletes the selected messages and returns them in id order.
	Take(queue string, sel Select) ([]Message, error)
	// Move moves the selected messages into dst under their ids and returns them in id
	// order, with Queue set to dst.
	Move(src, dst string, sel Select) ([]Message, error)
	// Transfer is Move for any number of messages: it only counts them.
	Transfer(src, dst string, sel Select) (int, error)
	// Delete deletes the selected messages and counts them.
	Delete(queue string, sel Select) (int, error)
	// Clear deletes all messages of the queues. It may read those of every queue whose name
	// is between theirs.
	Clear(queues []string) error
	// PutRecord creates or replaces the record with r's kind and key.
	PutRecord(r Record) error
	// SwapRecord replaces old by r, which has the same kind and key, and reports whether it
	// did: only if the record still equals old.
	SwapRecord(old, r Record) (swapped bool, err error)
	// DeleteRecord deletes a record if it exists.
	DeleteRecord(kind, key string) error
}

// A Listener receives the notifications of the queues it subscribed to.
type Listener interface {
	// C receives a value when one of the queues may have changed. Many notifications are
	// one value; one is kept for a later receive.
	C() <-chan struct{}
	// Add subscribes to more queues.
	Add(queues ...string) error
	// Remove ends the subscription to queues.
	Remove(queues ...string)
	// Close ends all subscriptions.
	Close()
}
