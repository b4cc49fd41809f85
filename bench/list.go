package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
)

// queueList measures what it takes to list and to count the queues of a store
// with a million messages, in one queue and in a thousand of them, against the
// plainest SQL that counts messages.
func queueList(ctx context.Context, b *bench) (rows []row, err error) {
	for _, queues := range []int{1, 1000} {
		some, err := b.list(ctx, queues)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func (b *bench) list(ctx context.Context, queues int) (rows []row, err error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for batch := range many / 1000 {
		if _, err := store.Queue(fmt.Sprint("jobs.", batch%queues)).WriteAll(ctx, bodies(1000)); err != nil {
			return nil, err
		}
	}
	plain, err := sql.Open("sqlite", bareDSN(filepath.Join(dir, sqlite.Name), "normal"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	plain.SetMaxOpenConns(1)

	ask := func(query string) func() (int, error) {
		return func() (n int, err error) {
			err = plain.QueryRow(query).Scan(&n)
			return n, err
		}
	}
	all := store.Queues(broker.Pattern{})
	s, err := compare(ctx, b.rounds, 1,
		timed(queues, func() (int, error) { return count(all.Names(ctx)) }),
		timed(many, ask(`SELECT count(*) FROM messages`)),
		timed(queues, func() (int, error) { return count(all.Stats(ctx)) }),
		timed(queues, ask(`SELECT count(*) FROM (SELECT queue, count(*) FROM messages GROUP BY queue)`)),
	)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("of 1,000,000 messages in %d queues", queues)
	if queues == 1 {
		name = "of 1,000,000 messages in one queue"
	}
	return []row{
		newRow("names "+name, "ms", s[0], s[1], "`SELECT count(*)`", target{}),
		newRow("stats "+name, "ms", s[2], s[3], "`count(*) … GROUP BY queue`", numberAtMost(300)),
	}, nil
}

// timed is the milliseconds in which do counts to want.
func timed(want int, do func() (int, error)) side {
	return func() (float64, error) {
		begin := time.Now()
		n, err := do()
		took := milliseconds(time.Since(begin))
		if err == nil && n != want {
			err = fmt.Errorf("counted to %d, want %d", n, want)
		}
		return took, err
	}
}

// count counts what a sequence yields.
func count[T any](all iter.Seq2[T, error]) (n int, err error) {
	for _, err := range all {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
