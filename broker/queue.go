package broker

import (
	"context"
	"fmt"
	"iter"
)

// A Queue is a named list of messages in the order of their ids. It is a
// handle: get it from [Broker.Queue], share it freely, nothing to close.
//
// Every operation checks the name and returns an error that wraps [ErrName] if
// it is bad. Cancelling ctx withdraws an operation that has not begun.
type Queue struct {
	b    *Broker
	name string
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// Write appends a message and returns its id once it is durable. Errors wrap
// [ErrBody], [ErrTooLarge] or [ErrFull].
func (q *Queue) Write(ctx context.Context, body string) (id ID, err error) {
	if err := q.b.check(q.name, body); err != nil {
		return 0, wrap(q.name, "write to", err)
	}
	err = q.b.step(ctx, q.name, func(t Txn) (err error) {
		id, err = t.Insert(q.name, body)
		return err
	})
	if err != nil {
		return 0, wrap(q.name, "write to", err)
	}
	return id, nil
}

// WriteAll appends the messages in one transaction, all or none, and returns
// their ids in order.
func (q *Queue) WriteAll(ctx context.Context, bodies []string) (ids []ID, err error) {
	if err := q.b.check(q.name, bodies...); err != nil {
		return nil, wrap(q.name, "write to", err)
	}
	err = q.b.Update(ctx, func(tx *Tx) error {
		ids = make([]ID, 0, len(bodies))
		for _, body := range bodies {
			id, err := tx.insert(q.name, body)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		return nil, wrap(q.name, "write to", err)
	}
	return ids, nil
}

// Read takes the oldest message. The message is gone from the queue, durably,
// when Read returns it. An empty queue gives [ErrEmpty].
func (q *Queue) Read(ctx context.Context) (Message, error) {
	ms, err := q.b.take(ctx, q.name, Select{Limit: 1})
	return one(q.name, "read", ms, err)
}

// Take takes the selected messages one page at a time: each page has been
// claimed and committed before its first message is yielded. Breaking off
// loses the rest of a page; set [Select.Limit] to what will be used.
func (q *Queue) Take(ctx context.Context, sel Select) iter.Seq2[Message, error] {
	return pages(q.name, "read", sel, func(sel Select) ([]Message, error) { return q.b.take(ctx, q.name, sel) })
}

func (b *Broker) take(ctx context.Context, queue string, sel Select) (ms []Message, err error) {
	if err := CheckName(queue); err != nil {
		return nil, err
	}
	// Nobody waits for a queue to become shorter: no ring.
	err = b.backend.Step(ctx, func(t Txn) (err error) {
		ms, err = t.Take(queue, sel)
		return err
	})
	return ms, err
}

// Peek returns the oldest message and leaves it. An empty queue gives
// [ErrEmpty].
func (q *Queue) Peek(ctx context.Context) (Message, error) {
	ms, err := q.b.peek(ctx, q.name, Select{Limit: 1})
	return one(q.name, "peek", ms, err)
}

// Messages iterates over the selected messages without taking them. It reads
// a page at a time and so sees messages that come while it runs.
func (q *Queue) Messages(ctx context.Context, sel Select) iter.Seq2[Message, error] {
	return pages(q.name, "peek", sel, func(sel Select) ([]Message, error) { return q.b.peek(ctx, q.name, sel) })
}

func (b *Broker) peek(ctx context.Context, queue string, sel Select) (ms []Message, err error) {
	if err := CheckName(queue); err != nil {
		return nil, err
	}
	err = b.backend.Look(ctx, func(r Reader) (err error) {
		ms, err = r.Messages(queue, sel)
		return err
	})
	return ms, err
}

// Move puts the oldest message into dst and returns it. It keeps its id, and
// at every instant it is in exactly one of the two queues. An empty queue
// gives [ErrEmpty], dst equal to the queue itself [ErrSameQueue].
func (q *Queue) Move(ctx context.Context, dst string) (Message, error) {
	ms, err := q.MoveAll(ctx, dst, Select{Limit: 1})
	if err == nil && len(ms) == 0 {
		return Message{}, wrap(q.name, "move from", ErrEmpty)
	}
	if err != nil {
		return Message{}, err
	}
	return ms[0], nil
}

// MoveAll puts the selected messages into dst, all in one transaction, and
// returns them; none selected is no error.
func (q *Queue) MoveAll(ctx context.Context, dst string, sel Select) (ms []Message, err error) {
	if err := checkMove(q.name, dst); err != nil {
		return nil, wrap(q.name, "move from", err)
	}
	err = q.b.step(ctx, dst, func(t Txn) (err error) {
		ms, err = t.Move(q.name, dst, sel)
		return err
	})
	if err != nil {
		return nil, wrap(q.name, "move from", err)
	}
	return ms, nil
}

// Delete deletes the selected messages in one transaction and counts them;
// none selected is no error.
func (q *Queue) Delete(ctx context.Context, sel Select) (n int, err error) {
	if err := CheckName(q.name); err != nil {
		return 0, wrap(q.name, "delete from", err)
	}
	err = q.b.backend.Step(ctx, func(t Txn) (err error) {
		n, err = t.Delete(q.name, sel)
		return err
	})
	if err != nil {
		return 0, wrap(q.name, "delete from", err)
	}
	return n, nil
}

// Stats counts the queue's messages. An empty queue is no error.
func (q *Queue) Stats(ctx context.Context) (st Stats, err error) {
	if err := CheckName(q.name); err != nil {
		return Stats{}, wrap(q.name, "count", err)
	}
	err = q.b.backend.Look(ctx, func(r Reader) (err error) {
		st, err = r.Stats(q.name)
		return err
	})
	if err != nil {
		return Stats{}, wrap(q.name, "count", err)
	}
	return st, nil
}

// check reports why the bodies cannot be written to queue.
func (b *Broker) check(queue string, bodies ...string) error {
	if err := CheckName(queue); err != nil {
		return err
	}
	for _, body := range bodies {
		if err := b.checkBody(body); err != nil {
			return err
		}
	}
	return nil
}

func wrap(queue, verb string, err error) error {
	return fmt.Errorf("%s %q: %w", verb, queue, err)
}

// one is the message of a selection of one.
func one(queue, verb string, ms []Message, err error) (Message, error) {
	if err == nil && len(ms) == 0 {
		err = ErrEmpty
	}
	if err != nil {
		return Message{}, wrap(queue, verb, err)
	}
	return ms[0], nil
}

// pages yields what fetch returns, page after page, until sel is used up.
func pages(queue, verb string, sel Select, fetch func(Select) ([]Message, error)) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		left := sel.Limit
		for {
			n := page
			if sel.Limit > 0 {
				n = min(n, left)
			}
			next := sel
			next.Limit = n
			ms, err := fetch(next)
			if err != nil {
				yield(Message{}, wrap(queue, verb, err))
				return
			}
			for _, m := range ms {
				if !yield(m, nil) {
					return
				}
			}
			left -= len(ms)
			if len(ms) < n || sel.Limit > 0 && left == 0 {
				return
			}
			sel.After = ms[len(ms)-1].ID
		}
	}
}

func checkMove(src, dst string) error {
	if err := CheckName(src); err != nil {
		return err
	}
	if err := CheckName(dst); err != nil {
		return err
	}
	if src == dst {
		return ErrSameQueue
	}
	return nil
}
