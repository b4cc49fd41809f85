package sqlite

import "weft/broker"

// A batch holds the messages that a transaction has inserted and that are not in
// the table yet: many rows by one statement are two to three times as fast as
// many statements. Their ids are known all the same, because nobody else gives
// any while the transaction holds the store. Who looks at their queue has them
// written first.
type batch struct {
	open bool // there is a transaction that may write
	// next is the least id that the transaction may give; 0 if the store has not
	// been asked.
	next     broker.ID
	given    broker.ID // the last id that no message got; 0 if a later one has been given
	messages []broker.Message
	queues   map[string]struct{} // of the messages that are not written
	bytes    int                 // of the bodies of these
	// kept is how many messages were there at the last savepoint. If they have
	// been written since, they are still remembered: a rollback would undo that.
	kept    int
	written bool // those
}

// batchBytes bounds the bodies of a batch. Beyond some ten pages a statement of
// many rows gains nothing.
const batchBytes = 256 << 10

// begin opens a transaction that may write.
func (c *conn) begin() error {
	_, err := c.run(begin)
	c.batch.reset()
	c.batch.open = err == nil
	return err
}

// commit ends the transaction that begin has opened. Everything has been written:
// see complete.
func (c *conn) commit() error {
	c.batch.reset()
	_, err := c.run(commit)
	return err
}

// rollback ends it without a trace.
func (c *conn) rollback() error {
	c.batch.reset()
	_, err := c.run(rollback)
	return err
}

// reset forgets everything but the memory it took.
func (b *batch) reset() {
	clear(b.messages)
	clear(b.queues)
	*b = batch{messages: b.messages[:0], queues: b.queues}
}

// savepoint begins what can be undone alone.
func (c *conn) savepoint() error {
	b := &c.batch
	if b.written {
		b.messages, b.written = b.messages[b.kept:], false
	}
	b.kept = len(b.messages)
	_, err := c.run(savepoint)
	return err
}

// rollbackTo undoes what came after the savepoint.
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

// id gives a message of the transaction its id.
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

// add inserts a message into the batch.
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

// complete writes what the transaction has yet to write.
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
	clear(b.messages[b.kept:]) // so that their bodies can go
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
