package broker

import (
	"context"
	"iter"
)

// A Queue is a named list of messages in the order of their ids. It is a handle, returned
// by [Broker.Queue]; it may be shared and need not be closed.
//
// Every operation checks the name and returns an error that wraps [ErrName] if it is
// invalid; an operation that changes the queue returns [ErrView] if it is a view.
// Cancelling ctx withdraws an operation that has not started.
type Queue struct {
	b    *Broker
	name string
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// Write appends a message and returns its id once it is durable. Errors wrap
// [ErrBody], [ErrTooLarge], [ErrFull] or [ErrUnwritable].
func (q *Queue) Write(ctx context.Context, body string) (ID, error) {
	id, err := change(ctx, q, checkWrite(q.b, q.name, body), func(t BackendTx) (ID, error) { return t.Insert(q.name, body) })
	if err == nil {
		notify(q.b.backend, q.name)
	}
	return id, wrap(q.name, "write to", err)
}

// WriteAll appends the messages in one transaction, all or none, and returns their ids in
// order.
func (q *Queue) WriteAll(ctx context.Context, bodies []string) (ids []ID, err error) {
	if err = checkWrite(q.b, q.name, bodies...); err == nil {
		err = q.b.backend.Update(ctx, func(t BackendTx) (err error) {
			ids, err = t.InsertAll(q.name, bodies)
			return err
		})
	}
	if err != nil {
		return nil, wrap(q.name, "write to", err)
	}
	notify(q.b.backend, q.name)
	return ids, nil
}

// Read takes the oldest message. When Read returns it, the message has been removed from
// the queue, durably. If the queue is empty the error is [ErrEmpty].
func (q *Queue) Read(ctx context.Context) (Message, error) {
	ms, err := take(ctx, q, Select{Limit: 1})
	return one(q.name, "read", ms, err)
}

// ReadAll takes the selected messages in one transaction and returns them; selecting none
// is no error. All of them are in memory: set [Select.Limit].
func (q *Queue) ReadAll(ctx context.Context, sel Select) ([]Message, error) {
	ms, err := take(ctx, q, sel)
	return ms, wrap(q.name, "read", err)
}

// ReadEach takes the selected messages one at a time, each durably before it is yielded,
// until none is left: stopping early loses nothing. If speed matters more, ReadAll takes
// many in one transaction.
func (q *Queue) ReadEach(ctx context.Context, sel Select) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		first := sel
		first.Limit = 1
		for taken := 0; sel.Limit == 0 || taken < sel.Limit; taken++ {
			ms, err := take(ctx, q, first)
			if err != nil {
				yield(Message{}, wrap(q.name, "read", err))
				return
			}
			if len(ms) == 0 || !yield(ms[0], nil) {
				return
			}
		}
	}
}

func take(ctx context.Context, q *Queue, sel Select) ([]Message, error) {
	// no notification: no reader waits for a queue to become shorter
	return change(ctx, q, q.b.stored(q.name), func(t BackendTx) ([]Message, error) { return takeShown(q.b, t, q.name, sel) })
}

// Peek returns the oldest message without taking it. If the queue is empty the error is
// [ErrEmpty].
func (q *Queue) Peek(ctx context.Context) (Message, error) {
	ms, err := peek(ctx, q, Select{Limit: 1})
	return one(q.name, "peek", ms, err)
}

// page and pageBytes bound how much an iterator fetches at once, so that neither memory nor
// a transaction grows with the length of a queue or of its messages.
const (
	page      = 256
	pageBytes = 1 << 20
)

// Messages iterates over the selected messages without taking them. It reads a page at a
// time and so includes messages that arrive meanwhile; it yields each message once, even
// while others are taken.
func (q *Queue) Messages(ctx context.Context, sel Select) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for left := sel.Limit; ; {
			next := sel
			if next.Limit = page; sel.Limit > 0 {
				next.Limit = min(page, left)
			}
			ms, err := peek(ctx, q, next)
			if err != nil {
				yield(Message{}, wrap(q.name, "peek", err))
				return
			}
			for _, m := range ms {
				if !yield(m, nil) {
					return
				}
			}
			left -= len(ms)
			// A page may be short because its messages are large.
			if len(ms) == 0 || sel.Limit > 0 && left == 0 {
				return
			}
			sel.After = ms[len(ms)-1].ID
		}
	}
}

// peek fetches the selected messages, fewer than sel.Limit if they are large.
func peek(ctx context.Context, q *Queue, sel Select) (ms []Message, err error) {
	if err := CheckName(q.name); err != nil {
		return nil, err
	}
	read := q.b.backend.ViewOne
	if q.b.options.Views(q.name) != nil || q.b.options.Shows(q.name) != nil {
		read = q.b.backend.View // they may read more than once
	}
	err = read(ctx, func(r Reader) error {
		ms = nil
		size := 0
		return scan(q.b, r, q.name, sel, func(m Message) bool {
			ms = append(ms, m)
			size += len(m.Body)
			return size < pageBytes
		})
	})
	return ms, err
}

// Move moves the oldest message into dst and returns it. It keeps its id, and at every time
// it is in exactly one of the two queues. If the queue is empty the error is [ErrEmpty], if
// dst is the queue itself [ErrSameQueue].
func (q *Queue) Move(ctx context.Context, dst string) (Message, error) {
	ms, err := move(ctx, q, dst, Select{Limit: 1})
	return one(q.name, "move from", ms, err)
}

// move moves the selected messages into dst and returns them.
func move(ctx context.Context, q *Queue, dst string, sel Select) ([]Message, error) {
	ms, err := change(ctx, q, checkMove(q.b, q.name, dst), func(t BackendTx) ([]Message, error) { return moveShown(q.b, t, q.name, dst, sel) })
	if err == nil && len(ms) > 0 {
		notify(q.b.backend, dst)
	}
	return ms, err
}

// MoveAll moves the selected messages into dst, all in one transaction, and counts them;
// selecting none is no error. Messages keep their ids, so a reader that follows dst by
// [Select.After] may miss them, if their ids are smaller.
//
// To see what is moved, use [Tx.Scan] and [Tx.MoveAll] in one [Broker.Update].
func (q *Queue) MoveAll(ctx context.Context, dst string, sel Select) (int, error) {
	n, err := change(ctx, q, checkMove(q.b, q.name, dst), func(t BackendTx) (int, error) { return transferShown(q.b, t, q.name, dst, sel) })
	if err == nil {
		notify(q.b.backend, dst)
	}
	return n, wrap(q.name, "move from", err)
}

// Delete deletes the selected messages in one transaction and counts them; selecting none
// is no error.
func (q *Queue) Delete(ctx context.Context, sel Select) (int, error) {
	n, err := change(ctx, q, q.b.stored(q.name), func(t BackendTx) (int, error) { return t.Delete(q.name, sel) })
	return n, wrap(q.name, "delete from", err)
}

// Stats counts the queue's messages. An empty queue is no error.
func (q *Queue) Stats(ctx context.Context) (st Stats, err error) {
	if err := CheckName(q.name); err != nil {
		return Stats{}, wrap(q.name, "count", err)
	}
	if q.b.options.Views(q.name) != nil {
		st = Stats{Queue: q.name}
		for m, err := range q.Messages(ctx, Select{}) {
			if err != nil {
				return Stats{}, err
			}
			st.count(m.ID)
		}
		return st, nil
	}
	st, err = look(ctx, q.b, func(r Reader) (Stats, error) { return r.Stats(q.name) })
	return st, wrap(q.name, "count", err)
}

// checkWrite returns an error if the bodies cannot be written to queue.
func checkWrite(b *Broker, queue string, bodies ...string) error {
	if err := b.stored(queue); err != nil {
		return err
	}
	for _, body := range bodies {
		if err := CheckBody(body, b.options.MaxMessage); err != nil {
			return err
		}
	}
	return nil
}

// checkMove returns an error if messages cannot be moved from src to dst.
func checkMove(b *Broker, src, dst string) error {
	if err := b.stored(src); err != nil {
		return err
	}
	if err := b.stored(dst); err != nil {
		return err
	}
	if src == dst {
		return ErrSameQueue
	}
	return nil
}

// one returns the only message of a selection.
func one(queue, verb string, ms []Message, err error) (Message, error) {
	if err == nil && len(ms) == 0 {
		err = ErrEmpty
	}
	if err != nil {
		return Message{}, wrap(queue, verb, err)
	}
	return ms[0], nil
}
