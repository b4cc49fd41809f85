package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"weft/broker"
)

// Compact rewrites the file without its unused parts, empties the log, and makes the
// ballast again if it was used.
func (s *store) Compact(ctx context.Context) error {
	if s.writer.nested() {
		return broker.ErrNested
	}
	if s.refusal != nil {
		return s.refusal
	}
	// It does not use the committer's connection, because SQLite cannot do this in a
	// transaction. Writers wait as they do for another process.
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	_ = c.othersWrote() // from now on
	t := takeTicket(s.writer.turns.dir)
	w := waiter{ticket: t, since: time.Now(), patience: s.writer.patience, moves: c.othersWrote}
	err = w.wait(ctx, func() error { return c.note(c.exec(context.Background(), "VACUUM")) })
	t.leave()
	if err == nil {
		err = c.emptyLogUnlessRead()
	}
	return errors.Join(err, s.writer.ballast.make())
}

// Flush empties the log, unless another process reads it.
func (s *store) Flush(ctx context.Context) error {
	if s.writer.nested() {
		return broker.ErrNested
	}
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	return c.emptyLogUnlessRead()
}

// emptyLogUnlessRead is emptyLog for cases where it can be done later.
func (c *conn) emptyLogUnlessRead() error {
	err := retryBusy(context.Background(), time.Time{}, logPatience, c.emptyLog)
	if errors.Is(err, broker.ErrBusy) {
		return nil
	}
	return err
}

const (
	// manyRows is how many rows are changed before the log is emptied at once. SQLite
	// copies the log into the database itself, but truncates the file only when it is next
	// written to.
	manyRows = 10_000
	// pageBytes is the size of a page, which counts as a row if one row fills it.
	pageBytes = 4096
	// logPatience bounds the wait for readers of the log.
	logPatience = 2 * time.Second
)

// emptyLog copies the log into the database and truncates its file. It returns ErrBusy
// while other processes read or write.
func (c *conn) emptyLog() error {
	var result struct{ Busy, Log, Checkpointed int }
	err := c.sx.GetContext(context.Background(), &result, "PRAGMA wal_checkpoint(TRUNCATE)")
	switch {
	case err != nil:
		return translate(c.path, err)
	case result.Busy != 0:
		return broker.ErrBusy
	}
	return nil
}

// logSize returns the size of the log's file. It never opens the file.
func (c *conn) logSize() (int64, error) {
	info, err := os.Lstat(c.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
