package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"weft/broker"
)

// A bare store is the floor of the queue operations: the driver's prepared
// statements on one connection, with the pragmas of broker/sqlite and its table
// and index, but without all that makes a queue of a table: allocated ids,
// names, limits, bells, shared commits.
type bare struct {
	file string
	db   *sql.DB
	conn *sql.Conn
	// The statements.
	insert, take, begin, commit, version *sql.Stmt
	id                                   int64
}

// bareSchema is that of broker/sqlite/schema.go as far as messages are
// concerned, without the trigger that remembers the last id.
const bareSchema = `
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS messages (
	id    INTEGER PRIMARY KEY,
	queue TEXT NOT NULL,
	body  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_queue ON messages (queue);
`

// newBare makes a bare store in the folder, or opens the one that is there. The
// caller closes it.
func newBare(dir, durability string) (*bare, error) {
	if _, err := sqlite.OFDLocking(true); err != nil {
		return nil, fmt.Errorf("open bare store: %w", err)
	}
	s := &bare{file: filepath.Join(dir, "bare.db"), id: int64(broker.IDAt(time.Now()))}
	var err error
	if s.db, err = sql.Open("sqlite", bareDSN(s.file, durability)); err != nil {
		return nil, fmt.Errorf("open bare store: %w", err)
	}
	if err := s.prepare(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open bare store: %w", err), s.db.Close())
	}
	return s, nil
}

// bareDSN has the options of broker/sqlite, but lets SQLite wait by itself.
func bareDSN(file, durability string) string {
	u := url.URL{Scheme: "file", Path: file, RawQuery: "_dqs=0&_defensive=1&_pragma=busy_timeout(5000)" +
		"&_pragma=journal_size_limit(8388608)&_pragma=synchronous(" + durability + ")"}
	return u.String()
}

func (s *bare) prepare(ctx context.Context) (err error) {
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, bareSchema); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.insert, `INSERT INTO messages (id, queue, body) VALUES (?, ?, ?)`},
		{&s.take, `DELETE FROM messages WHERE id = (SELECT id FROM messages WHERE queue = ?1 ORDER BY id LIMIT 1)
			RETURNING id, queue, body`},
		{&s.begin, `BEGIN IMMEDIATE`},
		{&s.commit, `COMMIT`},
		{&s.version, `PRAGMA data_version`},
	} {
		if *p.stmt, err = s.conn.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *bare) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// write inserts a message.
func (s *bare) write(body string) error {
	s.id += broker.Grain
	_, err := s.insert.Exec(s.id, queueName, body)
	return err
}

// writeAll inserts n messages in one transaction.
func (s *bare) writeAll(bodies []string) error {
	if _, err := s.begin.Exec(); err != nil {
		return err
	}
	for _, body := range bodies {
		if err := s.write(body); err != nil {
			return err
		}
	}
	_, err := s.commit.Exec()
	return err
}

// read takes the oldest message; sql.ErrNoRows says that there is none.
func (s *bare) read() (body string, err error) {
	var id int64
	var queue string
	err = s.take.QueryRow(queueName).Scan(&id, &queue, &body)
	return body, err
}

// queueName is the queue of all queue benchmarks.
const queueName = "jobs"

// bodies are n messages of 100 bytes.
func bodies(n int) []string {
	all := make([]string, n)
	for i := range all {
		text := fmt.Sprintf("message %d ", i)
		all[i] = text + strings.Repeat("x", 100-len(text))
	}
	return all
}
