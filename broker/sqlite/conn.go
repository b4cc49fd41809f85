package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"weft/broker"
)

// A conn is one SQLite connection with its prepared statements. It belongs to one goroutine
// at a time.
//
// Statements never run with a caller's context: cancelling a statement rolls back the whole
// transaction, which is shared, and costs the driver a goroutine for each call.
type conn struct {
	sx       *sqlx.Conn
	prepared [statements]*sqlx.Stmt
	// broken is the error after which the connection's transaction, and its view of the
	// file, can no longer be trusted.
	broken error
	// changed counts rows that were changed many at once, and the pages that large rows
	// fill, since the log was last emptied.
	changed int
	version int64  // of the database when othersWrote was last called
	batch   batch  // of the current transaction
	path    string // of the database
	now     func() time.Time
}

func (c *conn) exec(ctx context.Context, sql string) error {
	_, err := c.sx.ExecContext(ctx, sql)
	return err
}

func (c *conn) pragma(ctx context.Context, name string) (n int64, err error) {
	err = c.sx.GetContext(ctx, &n, "PRAGMA "+name)
	return n, err
}

// stmt prepares a statement when it is first used: a short-lived client needs few of them.
func (c *conn) stmt(s statement) (*sqlx.Stmt, error) {
	if p := c.prepared[s]; p != nil {
		return p, nil
	}
	p, err := c.sx.PreparexContext(context.Background(), text[s])
	if err != nil {
		return nil, c.note(err)
	}
	c.prepared[s] = p
	return p, nil
}

// run executes a statement that returns no rows.
func (c *conn) run(s statement, args ...any) (result, error) {
	p, err := c.stmt(s)
	if err != nil {
		return nil, err
	}
	r, err := p.Exec(args...)
	return r, c.note(err)
}

type result interface {
	LastInsertId() (int64, error)
	RowsAffected() (int64, error)
}

// all reads every row of a query into the slice that dst points to.
func (c *conn) all(dst any, s statement, args ...any) error {
	p, err := c.stmt(s)
	if err != nil {
		return err
	}
	return c.note(p.Select(dst, args...))
}

// query starts a query; the caller reads and closes its rows. It is for messages: scanning
// their three columns by hand is 1.3 times as fast as all.
func (c *conn) query(s statement, args ...any) (*sqlx.Rows, error) {
	p, err := c.stmt(s)
	if err != nil {
		return nil, err
	}
	rows, err := p.Queryx(args...)
	return rows, c.note(err)
}

// row reads the only row of a query.
func (c *conn) row(s statement, args []any, dst ...any) error {
	p, err := c.stmt(s)
	if err != nil {
		return err
	}
	return c.note(p.QueryRowx(args...).Scan(dst...))
}

// note translates an error to the broker's, and remembers one that ends the transaction,
// even if the caller's function ignores it.
func (c *conn) note(err error) error {
	if err == nil {
		return nil
	}
	named := translate(c.path, err)
	if c.broken == nil && fatal(err) {
		c.broken = named
	}
	return named
}

// drop closes the connection instead of returning it to the pool.
func (c *conn) drop() {
	_ = c.finalize()
	_ = c.sx.Raw(func(any) error { return driver.ErrBadConn })
	_ = c.sx.Close()
}

// close finalises the statements and closes the connection.
func (c *conn) close() error { return errors.Join(c.finalize(), c.sx.Close()) }

// finalize closes the prepared statements. While one is open SQLite neither closes the
// connection nor ends its transaction.
func (c *conn) finalize() error {
	var errs []error
	for _, p := range c.prepared {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

var _ broker.BackendTx = (*conn)(nil)
