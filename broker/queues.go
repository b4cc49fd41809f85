package broker

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Queues are the queues that match a pattern, for operations on all of them. It is a
// handle, returned by [Broker.Queues]. Views are not among them.
type Queues struct {
	b       *Broker
	pattern Pattern
	also    func(*Tx) ([]string, error)
}

// Queues returns the queues that p matches. It does no work.
func (b *Broker) Queues(p Pattern) *Queues { return &Queues{b: b, pattern: p} }

// Also returns the queues with others, which count as existing for Broadcast although they
// are empty. Broadcast calls others within its transaction; the pattern selects among the
// queues it returns.
func (qs *Queues) Also(others func(*Tx) ([]string, error)) *Queues {
	with := *qs
	with.also = others
	return &with
}

// Names iterates over the names, in byte order, without reading messages. It may include
// queues that appear or disappear meanwhile.
func (qs *Queues) Names(ctx context.Context) iter.Seq2[string, error] {
	return each(qs, func(first string) ([]string, error) {
		return look(ctx, qs.b, func(r Reader) ([]string, error) { return r.Queues(first, page) })
	}, func(name string) string { return name })
}

// Stats iterates over the counts of the queues, in the order of Names. It reads every
// message, but not its body.
func (qs *Queues) Stats(ctx context.Context) iter.Seq2[Stats, error] {
	return each(qs, func(first string) ([]Stats, error) {
		return look(ctx, qs.b, func(r Reader) ([]Stats, error) { return r.AllStats(first, page) })
	}, func(st Stats) string { return st.Queue })
}

// each iterates over what fetch returns, page by page, for queues that match.
func each[T any](qs *Queues, fetch func(first string) ([]T, error), name func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for first := qs.pattern.Literal(); ; {
			found, err := fetch(first)
			if err != nil {
				var zero T
				yield(zero, fmt.Errorf("list queues: %w", err))
				return
			}
			for _, v := range found {
				if !strings.HasPrefix(name(v), qs.pattern.Literal()) {
					return // nor does any later one
				}
				if qs.match(name(v)) && !yield(v, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			first = name(found[len(found)-1]) + "\x00" // the smallest name after it
		}
	}
}

// match reports whether the pattern selects the queue. It excludes messages that an earlier
// program has stored under the name of a view: they are not listed, and must not make a
// broadcast fail.
func (qs *Queues) match(queue string) bool {
	return qs.pattern.Match(queue) && qs.b.options.Views(queue) == nil
}

// Broadcast appends the message to each of the queues, all in one transaction, and returns
// their names; none is no error. A queue gets the message if it holds one when the
// transaction starts, or is one of [Queues.Also].
func (qs *Queues) Broadcast(ctx context.Context, body string) (reached []string, err error) {
	err = CheckBody(body, qs.b.options.MaxMessage)
	if err == nil {
		err = qs.update(ctx, func(tx *Tx, names []string) error {
			reached = names
			for _, name := range names {
				if _, err := tx.Write(name, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	return reached, nil
}

// Delete deletes all messages of the queues in one transaction and counts them.
func (qs *Queues) Delete(ctx context.Context) (n int, err error) {
	err = qs.update(ctx, func(tx *Tx, names []string) error {
		n = 0
		for _, name := range names {
			deleted, err := tx.Delete(name, Select{})
			if err != nil {
				return err
			}
			n += deleted
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete queues: %w", err)
	}
	return n, nil
}

// update runs fn in a transaction with the names of the queues.
func (qs *Queues) update(ctx context.Context, fn func(tx *Tx, names []string) error) error {
	return qs.b.Update(ctx, func(tx *Tx) error {
		var names []string
		for name, err := range each(qs, func(first string) ([]string, error) {
			return tx.txn.Queues(first, page)
		}, func(name string) string { return name }) {
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		if qs.also == nil {
			return fn(tx, names)
		}
		others, err := qs.also(tx)
		if err != nil {
			return err
		}
		for _, name := range others {
			if qs.match(name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return fn(tx, slices.Compact(names))
	})
}

// Rename moves all messages of a queue into another one, which must be empty, and counts
// them. They keep their ids; aliases of the queue become aliases of the other one. All of
// that is one transaction.
//
// Errors wrap [ErrEmpty] if there is no such queue, [ErrExists] if there is one of the new
// name, [ErrAlias] if the queue has aliases and the new name is one itself, [ErrSameQueue],
// [ErrName] or [ErrView].
func (b *Broker) Rename(ctx context.Context, from, to string) (n int, err error) {
	if err = checkMove(b, from, to); err == nil {
		err = b.Update(ctx, func(tx *Tx) (err error) {
			n, err = rename(tx, from, to)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("rename %q: %w", from, err)
	}
	return n, nil
}

// rename is Rename inside a transaction.
func rename(tx *Tx, from, to string) (int, error) {
	there, err := tx.Messages(to, Select{Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(there) > 0 {
		return 0, fmt.Errorf("queue %q: %w", to, ErrExists)
	}
	n, err := tx.MoveAll(from, to, Select{})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, ErrEmpty
	}
	return n, retarget(tx, from, to)
}
