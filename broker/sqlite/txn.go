package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"github.com/jmoiron/sqlx"

	"weft/broker"
)

// The broker.Txn of a connection: one statement for each call.

func (c *conn) Insert(queue, body string) (broker.ID, error) {
	r, err := c.run(insert, int64(broker.IDAt(c.now())), queue, body)
	if err != nil {
		return 0, err
	}
	id, err := r.LastInsertId()
	return broker.ID(id), err
}

func (c *conn) Take(queue string, sel broker.Select) ([]broker.Message, error) {
	switch sel {
	case oldest:
		return c.one(takeFirst, queue)
	case broker.Select{ID: sel.ID}:
		if sel.ID != 0 {
			return c.one(takeID, queue, int64(sel.ID))
		}
	}
	return c.many(take, bounds(queue, sel))
}

func (c *conn) Move(src, dst string, sel broker.Select) ([]broker.Message, error) {
	if sel == oldest {
		return c.one(moveFirst, src, dst)
	}
	return c.many(move, append(bounds(src, sel), dst))
}

func (c *conn) Delete(queue string, sel broker.Select) (int, error) {
	var r result
	var err error
	switch sel {
	case broker.Select{}:
		r, err = c.run(removeQueue, queue)
	case broker.Select{ID: sel.ID}:
		r, err = c.run(removeID, queue, int64(sel.ID))
	default:
		r, err = c.run(remove, bounds(queue, sel)...)
	}
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

func (c *conn) Messages(queue string, sel broker.Select) ([]broker.Message, error) {
	return c.many(peek, bounds(queue, sel))
}

// oldest is the selection that most readers use.
var oldest = broker.Select{Limit: 1}

// one runs a statement that concerns at most one message.
func (c *conn) one(s statement, args ...any) ([]broker.Message, error) {
	var m broker.Message
	err := c.row(s, args, &m.ID, &m.Queue, &m.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []broker.Message{m}, nil
}

func (c *conn) many(s statement, args []any) ([]broker.Message, error) {
	rows, err := c.query(s, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ms []broker.Message
	for rows.Next() {
		var m broker.Message
		if err := rows.Scan(&m.ID, &m.Queue, &m.Body); err != nil {
			return nil, c.note(err)
		}
		ms = append(ms, m)
	}
	if err := rows.Err(); err != nil {
		return nil, c.note(err)
	}
	slices.SortFunc(ms, func(a, b broker.Message) int { return cmp.Compare(a.ID, b.ID) })
	return ms, nil
}

// bounds is a selection as arguments of the statements that use it.
func bounds(queue string, sel broker.Select) []any {
	after, before, limit := int64(sel.After), int64(sel.Before), int64(sel.Limit)
	if before == 0 {
		before = math.MaxInt64
	}
	if sel.ID != 0 {
		after, before = max(after, int64(sel.ID)-1), min(before, int64(sel.ID)+1)
	}
	if limit == 0 {
		limit = -1
	}
	return []any{queue, after, before, limit}
}

func (c *conn) Queues(after string, limit int) (names []string, err error) {
	err = c.all(&names, queues, after, limit)
	return names, err
}

func (c *conn) Stats(queue string) (broker.Stats, error) {
	st := broker.Stats{Queue: queue}
	err := c.row(stats, []any{queue}, &st.Pending, &st.Oldest, &st.Newest)
	return st, err
}

func (c *conn) Record(kind, key string) (r broker.Record, err error) {
	err = c.row(getRecord, []any{kind, key}, &r.Kind, &r.Key, &r.State, &r.Rank, &r.Body)
	if errors.Is(err, sql.ErrNoRows) {
		err = broker.ErrNotFound
	}
	return r, err
}

// Records builds its statement for the selection: it is asked by lists and
// start-up, not for each task.
func (c *conn) Records(kind string, sel broker.RecordSelect) (rs []broker.Record, err error) {
	query, args := `SELECT kind, key, state, rank, body FROM record WHERE kind = ? AND rank > ?`, []any{kind, sel.AfterRank}
	if len(sel.States) > 0 {
		in, states, err := sqlx.In(` AND state IN (?)`, sel.States)
		if err != nil {
			return nil, err
		}
		query, args = query+in, append(args, states...)
	}
	if sel.Newest {
		query += ` ORDER BY rank DESC, key DESC`
	} else {
		query += ` ORDER BY rank, key`
	}
	if sel.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, sel.Limit)
	}
	err = sqlx.SelectContext(context.Background(), c.sx, &rs, query, args...)
	return rs, c.note(err)
}

func (c *conn) PutRecord(r broker.Record) error {
	_, err := c.run(putRecord, r.Kind, r.Key, r.State, r.Rank, r.Body)
	return err
}

func (c *conn) DeleteRecord(kind, key string) error {
	_, err := c.run(deleteRecord, kind, key)
	return err
}
