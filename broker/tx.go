package broker

import (
	"fmt"
	"slices"
)

// A Tx changes queues and records inside one transaction; see [Broker.Update]. It must not
// be used after the function it was given to has returned, nor by two goroutines at once.
//
// It is a [Reader] too, of the store with the changes that the transaction has made.
type Tx struct {
	Reader
	b       *Broker
	txn     BackendTx
	touched []string // queues to notify after the commit
}

// Write appends a message and returns its id.
func (tx *Tx) Write(queue, body string) (id ID, err error) {
	if err = checkWrite(tx.b, queue, body); err == nil {
		id, err = tx.txn.Insert(queue, body)
	}
	if err != nil {
		return 0, wrap(queue, "write to", err)
	}
	tx.Notify(queue)
	return id, nil
}

// NewID returns an id that no message has or will get: that of a message that would be
// written and taken at once.
func (tx *Tx) NewID() (ID, error) {
	id, err := tx.txn.NewID()
	if err != nil {
		return 0, fmt.Errorf("new id: %w", err)
	}
	return id, nil
}

// Restore adds messages under the ids they had when they were taken, so that they are in
// their old order again. It fails with [ErrExists] if an id is in use; the transaction must
// then be abandoned.
func (tx *Tx) Restore(ms ...Message) error {
	for _, m := range ms {
		if err := checkWrite(tx.b, m.Queue, m.Body); err != nil {
			return wrap(m.Queue, "restore to", err)
		}
		tx.Notify(m.Queue)
	}
	if err := tx.txn.Restore(ms); err != nil {
		return fmt.Errorf("restore messages: %w", err)
	}
	return nil
}

// Read takes the selected messages, in id order; selecting none is no error.
func (tx *Tx) Read(queue string, sel Select) (ms []Message, err error) {
	if err = tx.b.stored(queue); err == nil {
		ms, err = takeShown(tx.b, tx.txn, queue, sel)
	}
	return ms, wrap(queue, "read", err)
}

// ReadStored is [Tx.Read] of messages as they are stored, also if they are shown in another
// way.
func (tx *Tx) ReadStored(queue string, sel Select) (ms []Message, err error) {
	if err = tx.b.stored(queue); err == nil {
		ms, err = tx.txn.Take(queue, sel)
	}
	return ms, wrap(queue, "read", err)
}

// Messages returns the selected messages without taking them; selecting none is no error.
func (tx *Tx) Messages(queue string, sel Select) (ms []Message, err error) {
	err = tx.Scan(queue, sel, func(m Message) bool {
		ms = append(ms, m)
		return true
	})
	if err != nil {
		return nil, err
	}
	return ms, nil
}

// Scan calls fn with the selected messages, in id order and one at a time,
// until fn returns false. fn must not use tx.
func (tx *Tx) Scan(queue string, sel Select, fn func(Message) (more bool)) error {
	err := CheckName(queue)
	if err == nil {
		err = scan(tx.b, tx.txn, queue, sel, fn)
	}
	return wrap(queue, "peek", err)
}

// Move moves the selected messages into dst under their ids; selecting none is no error.
func (tx *Tx) Move(src, dst string, sel Select) (ms []Message, err error) {
	if err = checkMove(tx.b, src, dst); err == nil {
		ms, err = moveShown(tx.b, tx.txn, src, dst, sel)
	}
	if err != nil {
		return nil, wrapMove(src, dst, err)
	}
	tx.Notify(dst)
	return ms, nil
}

// MoveAll is [Tx.Move] for any number of messages: it only counts them.
func (tx *Tx) MoveAll(src, dst string, sel Select) (n int, err error) {
	if err = checkMove(tx.b, src, dst); err == nil {
		n, err = transferShown(tx.b, tx.txn, src, dst, sel)
	}
	if err != nil {
		return 0, wrapMove(src, dst, err)
	}
	tx.Notify(dst)
	return n, nil
}

// Delete deletes the selected messages and counts them.
func (tx *Tx) Delete(queue string, sel Select) (n int, err error) {
	if err = tx.b.stored(queue); err == nil {
		n, err = tx.txn.Delete(queue, sel)
	}
	return n, wrap(queue, "delete from", err)
}

// Record returns the record of kind with key, or an error that wraps
// [ErrNotFound].
func (tx *Tx) Record(kind, key string) (Record, error) {
	r, err := tx.txn.Record(kind, key)
	return r, wrapRecord("record", kind, key, err)
}

// Records returns the selected records of a kind ordered by rank.
func (tx *Tx) Records(kind string, sel RecordSelect) ([]Record, error) {
	rs, err := tx.txn.Records(kind, sel)
	if err != nil {
		return nil, fmt.Errorf("records of %s: %w", kind, err)
	}
	return rs, nil
}

// PutRecord creates or replaces the record with r's kind and key.
func (tx *Tx) PutRecord(r Record) error {
	return wrapRecord("put record", r.Kind, r.Key, tx.txn.PutRecord(r))
}

// SwapRecord replaces old, a record that was read before, by r, which has the same kind and
// key. It returns false, and changes nothing, if the record has been changed or deleted
// since it was read, even by another process.
func (tx *Tx) SwapRecord(old, r Record) (swapped bool, err error) {
	if old.Kind != r.Kind || old.Key != r.Key {
		return false, fmt.Errorf("swap record %s %q: it is not %s %q", old.Kind, old.Key, r.Kind, r.Key)
	}
	swapped, err = tx.txn.SwapRecord(old, r)
	return swapped, wrapRecord("swap record", r.Kind, r.Key, err)
}

// DeleteRecord deletes a record if it exists.
func (tx *Tx) DeleteRecord(kind, key string) error {
	return wrapRecord("delete record", kind, key, tx.txn.DeleteRecord(kind, key))
}

// Notify notifies the waiters of queue after the commit. Write and Move do so themselves;
// it is for changes without a message that waiters of a queue need to know, such as that of
// a record.
func (tx *Tx) Notify(queue string) {
	// Most transactions notify few queues, often the same one.
	if !slices.Contains(tx.touched, queue) {
		tx.touched = append(tx.touched, queue)
	}
}

// Clear deletes all messages of several queues at once. Their names should be close
// together in byte order, as those of one task's queues are: the queues between them are
// read.
func (tx *Tx) Clear(queues ...string) error {
	for _, queue := range queues {
		if err := tx.b.stored(queue); err != nil {
			return wrap(queue, "delete from", err)
		}
	}
	if err := tx.txn.Clear(queues); err != nil {
		return fmt.Errorf("clear queues %q: %w", queues, err)
	}
	return nil
}
