package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"weft/broker"
	"weft/internal/protocol"
)

const (
	// applicationID marks the file as Weft's in SQLite's header: "WEFT".
	applicationID = 0x57454654
	// schemaVersion is stored in SQLite's user_version, so that an up-to-date store costs
	// one pragma at each start.
	schemaVersion = protocol.Version
)

// schema creates an empty store.
//
// meta.last is the greatest id that was ever assigned and is no longer in messages. A
// trigger updates it, and only when the greatest message is deleted: so a write changes one
// table and one index, and ids still never repeat.
//
// record has a row id although it has a key: without a row id its rows would be in the
// nodes of an index, where a body of a kilobyte needs an overflow page. With it, a change
// of a task writes half as many pages.
//
// record_rank is for lists of all states, which would otherwise sort all records for each
// page. It changes when a record is made, but not with its state.
//
// messages_queue holds (queue, id) because an index ends with the row's id.
const schema = `
CREATE TABLE meta (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	store TEXT NOT NULL,
	last  INTEGER NOT NULL
) STRICT;
CREATE TABLE messages (
	id    INTEGER PRIMARY KEY,
	queue TEXT NOT NULL,
	body  TEXT NOT NULL
) STRICT;
CREATE INDEX messages_queue ON messages (queue);
CREATE TRIGGER messages_last AFTER DELETE ON messages
WHEN OLD.id > coalesce((SELECT max(id) FROM messages), 0)
BEGIN
	UPDATE meta SET last = OLD.id WHERE last < OLD.id;
END;
CREATE TABLE record (
	kind  TEXT NOT NULL,
	key   TEXT NOT NULL,
	state TEXT NOT NULL,
	rank  INTEGER NOT NULL,
	body  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_key ON record (kind, key);
CREATE INDEX record_state ON record (kind, state, rank);
CREATE INDEX record_rank ON record (kind, rank, key);
`

// ready upgrades the store to this version's schema, and refuses files that are not a Weft
// store or are newer.
func ready(ctx context.Context, c *conn, mayWrite bool) error {
	app, err := c.pragma(ctx, "application_id")
	if err != nil {
		return err
	}
	version, err := c.pragma(ctx, "user_version")
	if err != nil {
		return err
	}
	switch {
	case app != applicationID && !mayWrite:
		return fmt.Errorf("%w, or not one yet", broker.ErrNotStore)
	case app != applicationID:
		return create(ctx, c)
	case version > schemaVersion:
		return fmt.Errorf("%w: protocol %d, this one knows %d: use that version", broker.ErrNewer, version, schemaVersion)
	case version < schemaVersion && mayWrite:
		return c.exec(ctx, fmt.Sprintf("PRAGMA user_version=%d", schemaVersion)) // the tables are the same
	}
	return nil
}

// create writes the schema into an empty file. Several processes may try at once: the first
// one creates, the others find it done.
func create(ctx context.Context, c *conn) error {
	// One statement sees one state of the file: between two, another process may create the
	// store.
	const query = `SELECT count(*) AS tables,
		(SELECT application_id FROM pragma_application_id) AS app,
		(SELECT user_version FROM pragma_user_version) AS version FROM sqlite_schema`
	var found struct{ Tables, App, Version int64 }
	if err := c.sx.GetContext(ctx, &found, query); err != nil {
		return err
	}
	switch {
	case found.App == applicationID:
		return ready(ctx, c, true)
	case found.App != 0 || found.Version != 0 || found.Tables > 0:
		return fmt.Errorf("%w: it belongs to another application", broker.ErrNotStore)
	}
	// The journal mode is a property of the file and cannot change inside a transaction;
	// setting it twice is harmless.
	var mode string
	if err := c.sx.GetContext(ctx, &mode, "PRAGMA journal_mode=WAL"); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%w: SQLite cannot keep a shared log here (journal mode %s)", broker.ErrFilesystem, mode)
	}
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fill(ctx, c); err != nil {
		_ = c.exec(ctx, "ROLLBACK")
		return err
	}
	return c.exec(ctx, "COMMIT")
}

func fill(ctx context.Context, c *conn) error {
	app, err := c.pragma(ctx, "application_id")
	if err != nil || app == applicationID {
		return err
	}
	if err := c.exec(ctx, schema); err != nil {
		return err
	}
	if _, err := c.sx.ExecContext(ctx, "INSERT INTO meta (one, store, last) VALUES (1, ?, 0)", newStoreID()); err != nil {
		return err
	}
	return c.exec(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, schemaVersion))
}

// newStoreID returns an id that no other store has.
func newStoreID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// isSchema reports whether text consists of the statements of the schema, in any order.
// SQLite keeps their text, but not the separators.
func isSchema(text string) bool { return slices.Equal(statementsOf(text), statementsOf(schema)) }

// statementsOf splits such a text. No line inside a statement starts like a statement.
func statementsOf(text string) []string {
	all := strings.Split("\n"+strings.TrimSpace(text), "\nCREATE ")[1:]
	for i := range all {
		all[i] = strings.TrimRight(all[i], ";\n")
	}
	slices.Sort(all)
	return all
}
