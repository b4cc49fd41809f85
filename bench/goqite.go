package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"maragu.dev/goqite"

	"weft/broker"
)

// besideGoqite measures Weft beside goqite, another library that keeps queues
// in SQLite, in a store with the same driver, journal and pragmas: sending a
// message, and receiving and deleting one, which Weft does at once.
func besideGoqite(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		some, err := b.besideGoqite(ctx, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func (b *bench) besideGoqite(ctx context.Context, durability string) (rows []row, err error) {
	p, err := b.pair(durability)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	other, err := openGoqite(ctx, p.dir, durability)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, other.db.Close()) }()

	all := bodies(chunk(durability) / 2)
	s, err := compare(ctx, b.rounds, 3,
		func() (float64, error) {
			return rate(len(all), each(all, func(body string) error {
				_, err := p.queue.Write(ctx, body)
				return err
			}))
		},
		func() (float64, error) {
			return rate(len(all), each(all, func(body string) error { return other.send(ctx, body) }))
		},
		func() (float64, error) { return p.readAll(ctx, all) },
		func() (float64, error) {
			if err := other.sendAll(ctx, all); err != nil {
				return 0, err
			}
			return rate(len(all), each(all, func(string) error { return other.take(ctx) }))
		},
	)
	if err != nil {
		return nil, err
	}
	return []row{
		newRow("write, "+durability, "/s", s[0], s[1], "goqite: send", atLeast(2)),
		newRow("read, "+durability, "/s", s[2], s[3], "goqite: receive + delete", atLeast(2)),
	}, nil
}

// A goqiteStore is a store of goqite's with one queue.
type goqiteStore struct {
	db    *sql.DB
	queue *goqite.Queue
}

// openGoqite makes the store. The caller closes its db.
func openGoqite(ctx context.Context, dir, durability string) (*goqiteStore, error) {
	db, err := openPeer(filepath.Join(dir, "goqite.db"), durability)
	if err != nil {
		return nil, fmt.Errorf("open goqite's store: %w", err)
	}
	if err := createGoqite(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("create goqite's store: %w", err), db.Close())
	}
	return &goqiteStore{db, goqite.New(goqite.NewOpts{DB: db, Name: queueName})}, nil
}

// createGoqite makes goqite's tables. Their schema is in its source, for its
// users to run.
func createGoqite(ctx context.Context, db *sql.DB) error {
	source, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "maragu.dev/goqite"))
	if err != nil {
		return err
	}
	schema, err := os.ReadFile(filepath.Join(strings.TrimSpace(source), "schema_sqlite.sql"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, string(schema))
	return err
}

func (s *goqiteStore) send(ctx context.Context, body string) error {
	return s.queue.Send(ctx, goqite.Message{Body: []byte(body)})
}

// sendAll sends the messages in one transaction.
func (s *goqiteStore) sendAll(ctx context.Context, bodies []string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	for _, body := range bodies {
		if err := s.queue.SendTx(ctx, tx, goqite.Message{Body: []byte(body)}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// take receives a message and deletes it, which is how it is taken for good.
func (s *goqiteStore) take(ctx context.Context) error {
	m, err := s.queue.Receive(ctx)
	switch {
	case err != nil:
		return err
	case m == nil:
		return broker.ErrEmpty
	}
	return s.queue.Delete(ctx, m.ID)
}
