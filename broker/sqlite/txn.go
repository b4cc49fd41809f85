package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"weft/broker"
)

// The broker.BackendTx of a connection: one statement for each call.

func (c *conn) Insert(queue, body string) (broker.ID, error) {
	if c.batch.open {
		return c.add(queue, body)
	}
	r, err := c.run(insert, int64(broker.IDAt(c.now())), queue, body)
	if err != nil {
		return 0, c.noIDs(err)
	}
	id, err := r.LastInsertId()
	return broker.ID(id), err
}

func (c *conn) InsertAll(queue string, bodies []string) (ids []broker.ID, err error) {
	ids = make([]broker.ID, len(bodies))
	for i, body := range bodies {
		if ids[i], err = c.add(queue, body); err != nil {
			return nil, err
		}
		c.changed += 1 + len(body)/pageBytes
	}
	return ids, nil
}

func (c *conn) NewID() (broker.ID, error) {
	id, err := c.id()
	c.batch.given = id
	return id, err
}

func (c *conn) Restore(ms []broker.Message) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.batch.next = 0 // their ids may be greater
	for _, m := range ms {
		c.changed += 1 + len(m.Body)/pageBytes
	}
	return c.write(ms)
}

// write inserts messages under the ids they have.
func (c *conn) write(ms []broker.Message) error {
	args := make([]any, 0, 3*min(len(ms), rowsAtOnce))
	for len(ms) > 0 {
		s, n := restore, 1
		switch {
		case len(ms) >= rowsAtOnce:
			s, n = restoreMany, rowsAtOnce
		case len(ms) >= rowsTogether:
			s, n = restoreSome, rowsTogether
		}
		args = args[:0]
		for _, m := range ms[:n] {
			args = append(args, int64(m.ID), m.Queue, m.Body)
		}
		if _, err := c.run(s, args...); err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

func (c *conn) Advance(id broker.ID) error {
	c.batch.next = 0
	_, err := c.run(advance, int64(id))
	return err
}

func (c *conn) ResetIDs(most broker.ID) error {
	c.batch.next = 0
	_, err := c.run(resetIDs, newStoreID(), int64(most))
	return err
}

// noIDs translates an error of assigning an id, if there is none to assign.
func (c *conn) noIDs(err error) error {
	if fatal(err) || busy(err) || unwritten(err) {
		return err
	}
	var known int
	var last int64
	if failed := c.row(countIDs, nil, &known, &last); failed != nil || known == 1 && last < math.MaxInt64 {
		return err
	}
	return fmt.Errorf("%w (%w)", broker.ErrNoIDs, err)
}

func (c *conn) Take(queue string, sel broker.Select) ([]broker.Message, error) {
	if err := c.flushQueue(queue); err != nil {
		return nil, err
	}
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
	if err := c.flushQueue(src); err != nil {
		return nil, err
	}
	switch {
	case sel == oldest:
		return c.one(moveFirst, src, dst)
	case sel.ID != 0 && sel == broker.Select{ID: sel.ID}:
		return c.one(moveID, src, dst, int64(sel.ID))
	}
	return c.many(move, append(bounds(src, sel), dst))
}

// Transfer moves only as many at a time as can be undone in memory.
func (c *conn) Transfer(src, dst string, sel broker.Select) (moved int, err error) {
	if err := c.flushQueue(src); err != nil {
		return 0, err
	}
	if sel.ID != 0 && sel == (broker.Select{ID: sel.ID}) {
		return c.count(transferID, src, dst, int64(sel.ID))
	}
	for some := sel; ; {
		if some.Limit = manyRows; sel.Limit > 0 {
			some.Limit = min(sel.Limit-moved, manyRows)
		}
		n, err := c.count(transfer, append(bounds(src, some), dst)...)
		moved += n
		if err != nil && moved > 0 && c.broken == nil {
			c.broken = err // half of it must not be committed with the changes of others
		}
		if err != nil || n < some.Limit || moved == sel.Limit {
			return moved, err
		}
	}
}

func (c *conn) Delete(queue string, sel broker.Select) (int, error) {
	if err := c.flushQueue(queue); err != nil {
		return 0, err
	}
	switch sel {
	case broker.Select{}:
		return c.count(removeQueue, queue)
	case broker.Select{ID: sel.ID}:
		return c.count(removeID, queue, int64(sel.ID))
	}
	return c.count(remove, bounds(queue, sel)...)
}

func (c *conn) Clear(queues []string) error {
	if len(queues) == 0 {
		return nil
	}
	for _, queue := range queues {
		if err := c.flushQueue(queue); err != nil {
			return err
		}
	}
	names := `["` + strings.Join(queues, `","`) + `"]` // names need no escapes
	_, err := c.count(clearQueues, slices.Min(queues), slices.Max(queues), names)
	return err
}

// count runs a statement and counts the rows it changed.
func (c *conn) count(s statement, args ...any) (int, error) {
	r, err := c.run(s, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	c.changed += int(n)
	return int(n), err
}

func (c *conn) Messages(queue string, sel broker.Select) (ms []broker.Message, err error) {
	err = c.Scan(queue, sel, func(m broker.Message) bool {
		ms = append(ms, m)
		return true
	})
	return ms, err
}

func (c *conn) Scan(queue string, sel broker.Select, fn func(broker.Message) bool) error {
	args := bounds(queue, sel)
	if queue == "" {
		if err := c.flush(); err != nil {
			return err
		}
		return c.each(peekAll, args[1:], fn)
	}
	if err := c.flushQueue(queue); err != nil {
		return err
	}
	return c.each(peek, args, fn)
}

// oldest is the selection that most readers use.
var oldest = broker.Select{Limit: 1}

// one runs a statement that selects at most one message.
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

// many runs a statement that returns messages in no order.
func (c *conn) many(s statement, args []any) (ms []broker.Message, err error) {
	err = c.each(s, args, func(m broker.Message) bool {
		ms = append(ms, m)
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ms, func(a, b broker.Message) int { return cmp.Compare(a.ID, b.ID) })
	return ms, nil
}

// each calls fn with the messages that a statement returns, until it returns false.
func (c *conn) each(s statement, args []any, fn func(broker.Message) bool) error {
	rows, err := c.query(s, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m broker.Message
		if err := rows.Scan(&m.ID, &m.Queue, &m.Body); err != nil {
			return c.note(err)
		}
		if !fn(m) {
			return nil
		}
	}
	return c.note(rows.Err())
}

// bounds returns a selection as arguments of the statements that use it.
func bounds(queue string, sel broker.Select) []any {
	after, last, limit := int64(sel.After), int64(math.MaxInt64), int64(sel.Limit)
	if sel.Before != 0 {
		last = int64(sel.Before) - 1
	}
	if sel.ID != 0 {
		after, last = max(after, int64(sel.ID)-1), min(last, int64(sel.ID))
	}
	if limit == 0 {
		limit = -1
	}
	return []any{queue, after, last, limit}
}

func (c *conn) Queues(first string, limit int) (names []string, err error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	err = c.all(&names, queues, first, limit)
	return names, err
}

func (c *conn) Stats(queue string) (broker.Stats, error) {
	if err := c.flushQueue(queue); err != nil {
		return broker.Stats{}, err
	}
	st := broker.Stats{Queue: queue}
	err := c.row(stats, []any{queue}, &st.Pending, &st.Oldest, &st.Newest)
	return st, err
}

func (c *conn) AllStats(first string, limit int) (all []broker.Stats, err error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	err = c.all(&all, allStats, first, limit)
	return all, err
}

func (c *conn) Info() (info broker.Info, err error) {
	if err := c.flush(); err != nil {
		return info, err
	}
	var made string
	err = named(c.row(storeInfo, nil, &info.ID, &info.LastID, &info.Bytes, &info.Free, &made))
	info.Altered = !isSchema(made)
	if err == nil {
		info.Log, err = c.logSize()
	}
	return info, err
}

func (c *conn) ID() (id string, err error) {
	err = named(c.row(storeID, nil, &id))
	return id, err
}

// named returns the error of a query about the store.
func named(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return broker.ErrNoIDs
	}
	return err
}

func (c *conn) Kinds() (names []string, err error) {
	err = c.all(&names, kinds)
	return names, err
}

func (c *conn) States(kind, first string) (names []string, err error) {
	err = c.all(&names, states, kind, first)
	return names, err
}

func (c *conn) Record(kind, key string) (r broker.Record, err error) {
	err = c.row(getRecord, []any{kind, key}, &r.Kind, &r.Key, &r.State, &r.Rank, &r.Body)
	if errors.Is(err, sql.ErrNoRows) {
		err = broker.ErrNotFound
	}
	return r, err
}

func (c *conn) Records(kind string, sel broker.RecordSelect) (rs []broker.Record, err error) {
	if len(sel.States) == 0 && sel.KeySuffix == "" {
		s, args := plainRecords(kind, sel)
		err = c.all(&rs, s, args...)
		return rs, err
	}
	if len(sel.States) == 1 && sel.KeySuffix == "" && !sel.Newest {
		_, args := plainRecords(kind, sel)
		err = c.all(&rs, stateRecords, append(args, sel.States[0])...)
		return rs, err
	}
	// Built for the selection: it is used by lists and at starts, not for each task.
	query, args, err := chosenRecords(kind, sel)
	if err == nil {
		err = c.note(sqlx.SelectContext(context.Background(), c.sx, &rs, query, args...))
	}
	return rs, err
}

// CountRecords reads only an index.
func (c *conn) CountRecords(kind string) (map[string]int, error) {
	var found []struct {
		State string
		Count int `db:"count(*)"`
	}
	if err := c.all(&found, countRecords, kind); err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(found))
	for _, f := range found {
		counts[f.State] = f.Count
	}
	return counts, nil
}

// plainRecords returns the statement for records of all states.
func plainRecords(kind string, sel broker.RecordSelect) (s statement, args []any) {
	s, limit := records, sel.Limit
	if sel.Newest {
		s = newestRecords
	}
	if limit == 0 {
		limit = -1
	}
	last := int64(math.MaxInt64)
	if sel.BeforeRank != 0 {
		last = sel.BeforeRank - 1
	}
	return s, []any{kind, sel.AfterRank, last, limit}
}

// chosenRecords returns the query for records of some states or keys.
func chosenRecords(kind string, sel broker.RecordSelect) (query string, args []any, err error) {
	s, plain := plainRecords(kind, sel)
	args = plain[:3]
	limit := plain[3]
	where := ""
	// By itself SQLite chooses the index that has the order, and reads every record of the
	// kind.
	index := "record_state"
	if len(sel.States) > 0 {
		where, args = where+"AND state IN (?) ", append(args, sel.States)
	}
	if sel.KeySuffix != "" {
		where, args = where+"AND substr(key, -length(?)) = ? ", append(args, sel.KeySuffix, sel.KeySuffix)
		index = "record_key"
	}
	query = strings.NewReplacer("FROM record", "FROM record INDEXED BY "+index, "ORDER", where+"ORDER").Replace(text[s])
	return sqlx.In(query, append(args, limit)...)
}

func (c *conn) PutRecord(r broker.Record) error {
	_, err := c.run(putRecord, r.Kind, r.Key, r.State, r.Rank, r.Body)
	return err
}

func (c *conn) SwapRecord(old, r broker.Record) (swapped bool, err error) {
	args := []any{old.Kind, old.Key, old.State, old.Rank, old.Body, r.State, r.Rank, r.Body}
	s := swapRecord
	switch {
	case old.Rank == r.Rank && old.State == r.State:
		s = swapBody
	case old.Rank == r.Rank:
		s = swapState
	}
	n, err := c.count(s, args...)
	return n > 0, err
}

func (c *conn) DeleteRecord(kind, key string) error {
	_, err := c.run(deleteRecord, kind, key)
	return err
}
