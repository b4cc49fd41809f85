package sqlite

import "weft/broker"

// A batch holds the messages that a transaction has inserted and that are not in the table
// yet: one statement with many rows is two to three times as fast as many statements. Their
// ids are known in advance, because no other process assigns any while the transaction
// holds the store. Before their queue is read they are written.
type batch struct {
	open bool // there is a transaction that may write
	// next is the least id that the transaction may assign; 0 if it has not been read from
	// the store.
	next     broker.ID
	given    broker.ID // the last id that was assigned without a message; 0 if a later one has been assigned
	messages []broker.Message
	queues   map[string]struct{} // of the messages that are not written
	bytes    int                 // of the bodies of these messages
	// kept is how many messages there were at the last savepoint. If they have been written
	// since, they are still kept here, because a rollback would undo that.
	kept    int
	written bool // these messages have been written
}

// batchBytes bounds the bodies of a batch. Beyond some ten pages a statement of many rows
// is no faster.
const batchBytes = 256 << 10

// begin begins a transaction that may write.
func (c *conn) begin() error {
	_, err := c.run(begin)
	c.batch.reset()
	c.batch.open = err == nil
	return err
}

// commit commits the transaction that begin has begun. Everything has been written: see
// complete.
func (c *conn) commit() error {
	c.batch.reset()
	_, err := c.run(commit)
	return err
}

// rollback rolls the transaction back.
func (c *conn) rollback() error {
	c.batch.reset()
	_, err := c.run(rollback)
	return err
}

// reset resets the batch but keeps its memory.
func (b *batch) reset() {
	clear(b.messages)
	clear(b.queues)
	*b = batch{messages: b.messages[:0], queues: b.queues}
}

// savepoint begins a part that can be rolled back on its own.
func (c *conn) savepoint() error {
	b := &c.batch
	if b.written {
		b.messages, b.written = b.messages[b.kept:], false
	}
	b.kept = len(b.messages)
	_, err := c.run(savepoint)
	return err
}

// rollbackTo rolls back to the savepoint.
func (c *conn) rollbackTo() error {
	b := &c.batch
	b.messages, b.written, b.bytes = b.messages[:b.kept], false, 0
	b.given = max(0, b.next-1) // the message after it may be gone
	clear(b.queues)
	for _, m := range b.messages {
		b.note(m)
	}
	_, err := c.run(rollbackTo)
	return err
}

// id assigns the next id of the transaction.
func (c *conn) id() (broker.ID, error) {
	now := broker.IDAt(c.now())
	if c.batch.next == 0 {
		if err := c.row(nextID, []any{int64(now)}, &c.batch.next); err != nil {
			return 0, c.noIDs(err)
		}
	}
	id := max(now, c.batch.next)
	c.batch.next = id + 1
	return id, nil
}

// add adds a message to the batch.
func (c *conn) add(queue, body string) (broker.ID, error) {
	id, err := c.id()
	if err != nil {
		return 0, err
	}
	b := &c.batch
	b.given = 0
	m := broker.Message{ID: id, Queue: queue, Body: body}
	b.messages = append(b.messages, m)
	b.note(m)
	if len(b.unwritten()) >= rowsAtOnce || b.bytes >= batchBytes {
		err = c.flush()
	}
	return id, err
}

func (b *batch) note(m broker.Message) {
	if b.queues == nil {
		b.queues = make(map[string]struct{})
	}
	b.queues[m.Queue] = struct{}{}
	b.bytes += len(m.Body)
}

func (b *batch) unwritten() []broker.Message {
	if b.written {
		return b.messages[b.kept:]
	}
	return b.messages
}

// complete writes everything that the transaction has not written yet.
func (c *conn) complete() error {
	if err := c.flush(); err != nil || c.batch.given == 0 {
		return err
	}
	return c.Advance(c.batch.given)
}

// flush writes the batch.
func (c *conn) flush() error {
	b := &c.batch
	if len(b.queues) == 0 {
		return nil
	}
	err := c.write(b.unwritten())
	clear(b.messages[b.kept:]) // frees the bodies
	b.messages, b.written, b.bytes = b.messages[:b.kept], true, 0
	clear(b.queues)
	return err
}

// flushQueue writes the batch if it has messages of the queue.
func (c *conn) flushQueue(queue string) error {
	if _, waits := c.batch.queues[queue]; waits {
		return c.flush()
	}
	return nil
}
