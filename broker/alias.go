package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// aliasKind is the kind of the records of aliases. Their key is the alias, their state the
// queue it stands for.
const aliasKind = "alias"

// AliasMark is the prefix of a name that is an alias.
const AliasMark = "@"

// An Alias is a second name for a queue. It is used with an [AliasMark] before it, so that
// it is never taken for a queue of the same name.
type Alias struct {
	Name  string // without the mark
	Queue string // may be empty
}

// Aliases are the aliases of a store. It is a handle, returned by [Broker.Aliases].
type Aliases struct{ b *Broker }

// Aliases returns the aliases.
func (b *Broker) Aliases() Aliases { return Aliases{b} }

// Add makes an alias. It fails with [ErrExists] if there is one of that name, and with
// [ErrAlias] or [ErrName] if name or queue cannot be used: an alias leads to a queue and
// never to another alias.
func (a Aliases) Add(ctx context.Context, name, queue string) error {
	err := a.b.stored(queue)
	if err == nil {
		err = a.b.Update(ctx, func(tx *Tx) error { return addAlias(tx, Alias{name, queue}) })
	}
	if err != nil {
		return fmt.Errorf("add alias %q: %w", name, err)
	}
	return nil
}

// addAlias is Add inside a transaction.
func addAlias(tx *Tx, alias Alias) error {
	if err := CheckName(alias.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrAlias, err)
	}
	if alias.Name == alias.Queue {
		return fmt.Errorf("%w: it would stand for itself", ErrAlias)
	}
	if err := freeAlias(tx.txn, alias); err != nil {
		return err
	}
	return putAlias(tx, alias)
}

// freeAlias returns an error if another alias conflicts with this one.
func freeAlias(r Reader, alias Alias) error {
	switch there, err := r.Record(aliasKind, alias.Name); {
	case err == nil:
		return fmt.Errorf("%w: it stands for %q", ErrExists, there.State)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := checkQueue(r, alias.Queue); err != nil {
		return err
	}
	users, err := r.Records(aliasKind, RecordSelect{States: []string{alias.Name}, Limit: 1})
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return fmt.Errorf("%w: alias %q stands for a queue of that name", ErrAlias, users[0].Key)
	}
	return nil
}

// checkQueue returns an error if no alias can stand for queue, because an alias has its
// name.
func checkQueue(r Reader, queue string) error {
	switch _, err := r.Record(aliasKind, queue); {
	case err == nil:
		return fmt.Errorf("%w: %q is an alias itself", ErrAlias, queue)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return nil
}

func putAlias(tx *Tx, alias Alias) error {
	return tx.PutRecord(Record{Kind: aliasKind, Key: alias.Name, State: alias.Queue, Rank: 1})
}

// retarget changes the aliases of a queue to stand for another one.
func retarget(tx *Tx, from, to string) error {
	users, err := tx.Records(aliasKind, RecordSelect{States: []string{from}})
	if err != nil || len(users) == 0 {
		return err
	}
	if err := checkQueue(tx.txn, to); err != nil {
		return err
	}
	for _, r := range users {
		if err := putAlias(tx, Alias{r.Key, to}); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes an alias; it does not change messages. The error wraps [ErrNotFound] if
// there is none.
func (a Aliases) Remove(ctx context.Context, name string) error {
	err := a.b.Update(ctx, func(tx *Tx) error {
		if _, err := tx.Record(aliasKind, name); err != nil {
			return err
		}
		return tx.DeleteRecord(aliasKind, name)
	})
	if err != nil {
		return fmt.Errorf("remove alias: %w", err)
	}
	return nil
}

// List returns the aliases, sorted by name; if queue is not empty, only those of that
// queue.
func (a Aliases) List(ctx context.Context, queue string) (all []Alias, err error) {
	var sel RecordSelect
	if queue != "" {
		sel.States = []string{queue}
	}
	recs, err := a.b.Records(ctx, aliasKind, sel)
	if err != nil {
		return nil, fmt.Errorf("list aliases: %w", err)
	}
	for _, r := range recs {
		all = append(all, Alias{Name: r.Key, Queue: r.State})
	}
	return all, nil
}

// Resolve returns the queue that name means: with an [AliasMark] before it, the one that
// the alias stands for, else name itself. The error wraps [ErrNotFound] if there is no such
// alias.
func (a Aliases) Resolve(ctx context.Context, name string) (queue string, err error) {
	alias, marked := strings.CutPrefix(name, AliasMark)
	if !marked {
		return name, nil
	}
	r, err := a.b.Record(ctx, aliasKind, alias)
	if errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("alias %q: %w", alias, ErrNotFound)
	}
	return r.State, err
}
