package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"weft/broker"
	"weft/internal/disk"
)

// primary returns SQLite's primary result code of err, 0 if err is not SQLite's.
func primary(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// busy reports whether another process has the lock; nothing happened.
func busy(err error) bool { return errors.Is(err, broker.ErrBusy) || primary(err) == code.SQLITE_BUSY }

// fatal reports whether the error has ended, or may have ended, its transaction.
func fatal(err error) bool {
	switch primary(err) {
	case code.SQLITE_FULL, code.SQLITE_IOERR, code.SQLITE_NOMEM, code.SQLITE_INTERRUPT,
		code.SQLITE_CORRUPT, code.SQLITE_NOTADB, code.SQLITE_CANTOPEN, code.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// unwritten reports whether a write was refused, so nothing was written. SQLite has a code
// for a full disk; a limit on the size of files, for example, is a failed write.
func unwritten(err error) bool {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()&0xff == code.SQLITE_FULL || e.Code()&0xff == code.SQLITE_READONLY || e.Code() == code.SQLITE_IOERR_WRITE
	}
	return false
}

// unmade reports whether the memory that processes share with the file could not be
// allocated.
func unmade(err error) bool {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() == code.SQLITE_IOERR_SHMSIZE || e.Code() == code.SQLITE_IOERR_SHMOPEN
	}
	return false
}

// noRoom is how many bytes may be free on a full disk: file systems reserve a few blocks.
const noRoom = 64 << 10

// refused translates an error of a write to the store at path: the disk is full, or the
// system refuses.
func refused(path string, err error) error {
	named := broker.ErrUnwritable
	if space, known := disk.SpaceIn(filepath.Dir(path)); known && space.Free < noRoom || primary(err) == code.SQLITE_FULL {
		named = broker.ErrFull
	}
	return fmt.Errorf("%w: %w", named, err)
}

// translate translates SQLite's errors about the store at path to the broker's.
func translate(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case unwritten(err), unmade(err):
		return refused(path, err)
	case busy(err):
		return fmt.Errorf("%w: %w", broker.ErrBusy, err)
	}
	switch primary(err) {
	case code.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", broker.ErrExists, err)
	case code.SQLITE_NOTADB:
		return fmt.Errorf("%w: it is not a database", broker.ErrNotStore)
	case code.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", broker.ErrCorrupt, err)
	case code.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", broker.ErrTooLarge, err)
	}
	return err
}
