package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"weft/broker"
)

// primary is SQLite's primary result code of err, 0 if err is not SQLite's.
func primary(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// busy: another process has the lock; nothing happened.
func busy(err error) bool { return errors.Is(err, broker.ErrBusy) || primary(err) == code.SQLITE_BUSY }

// fatal: the error has, or may have, ended the transaction it happened in.
func fatal(err error) bool {
	switch primary(err) {
	case code.SQLITE_FULL, code.SQLITE_IOERR, code.SQLITE_NOMEM, code.SQLITE_INTERRUPT,
		code.SQLITE_CORRUPT, code.SQLITE_NOTADB, code.SQLITE_CANTOPEN, code.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// full: there is no room. A limit on the size of files shows itself as a
// failed write rather than as a full disk.
func full(err error) bool {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()&0xff == code.SQLITE_FULL || e.Code() == code.SQLITE_IOERR_WRITE
	}
	return false
}

// translate gives SQLite's errors the broker's names.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case full(err):
		return fmt.Errorf("%w: %w", broker.ErrFull, err)
	case busy(err):
		return fmt.Errorf("%w: %w", broker.ErrBusy, err)
	}
	switch primary(err) {
	case code.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", broker.ErrExists, err)
	case code.SQLITE_NOTADB:
		return fmt.Errorf("%w: it is not a database", broker.ErrNotStore)
	case code.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", broker.ErrTooLarge, err)
	}
	return err
}
