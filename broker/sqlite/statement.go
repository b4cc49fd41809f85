package sqlite

import "strings"

// A statement is the number of a prepared statement of a connection.
type statement int

const (
	begin statement = iota
	beginRead
	commit
	rollback
	savepoint
	release
	rollbackTo
	insert
	nextID
	restore
	restoreSome
	restoreMany
	advance
	resetIDs
	countIDs
	takeFirst
	takeID
	take
	moveFirst
	moveID
	move
	transferID
	transfer
	removeID
	removeQueue
	remove
	clearQueues
	peek
	peekAll
	queues
	stats
	allStats
	storeID
	storeInfo
	kinds
	states
	getRecord
	records
	newestRecords
	stateRecords
	countRecords
	putRecord
	swapRecord
	swapState
	swapBody
	deleteRecord
	statements
)

// selected selects messages by (queue, after, last, limit); a limit of -1 is no limit.
const selected = `SELECT id FROM messages WHERE queue = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4`

// first selects the oldest message of a queue. Comparing with = instead of IN saves SQLite
// a temporary table: 1.3 times faster for the common case.
const first = `(SELECT id FROM messages WHERE queue = ?1 ORDER BY id LIMIT 1)`

// next is the next id: the clock's, ?1, unless one as great was assigned before. It is not
// an integer if there is none, or the count is lost: see noIDs.
const next = `max(?1, coalesce((SELECT max(id) FROM messages), 0) + 1, coalesce((SELECT last FROM meta), 9223372036854775807) + 1)`

// names are the queues from the name ?1 on, by a skip scan: one seek in the index for each
// queue, no matter how many messages it holds.
const names = `WITH RECURSIVE names (name) AS (
		SELECT min(queue) FROM messages WHERE queue >= ?1
		UNION ALL
		SELECT (SELECT min(queue) FROM messages WHERE queue > names.name) FROM names WHERE names.name IS NOT NULL
	) `

// counts are the fields of broker.Stats for the queue ?1. Smallest and greatest are one
// seek each, and counting alone is 3 times as fast as all of it together.
const counts = `(SELECT count(*) FROM messages WHERE queue = ?1) AS pending,
	coalesce((SELECT min(id) FROM messages WHERE queue = ?1), 0) AS oldest,
	coalesce((SELECT max(id) FROM messages WHERE queue = ?1), 0) AS newest`

// asBefore selects a record if it has not changed.
const asBefore = ` WHERE kind = ?1 AND key = ?2 AND state = ?3 AND rank = ?4 AND body = ?5`

// rowsAtOnce is how many rows restoreMany inserts, and rowsTogether how many restoreSome
// inserts.
const (
	rowsAtOnce   = 50
	rowsTogether = 8
)

// restoreRows returns the statement that inserts n rows.
func restoreRows(n int) string {
	return `INSERT INTO messages (id, queue, body) VALUES (?, ?, ?)` + strings.Repeat(`, (?, ?, ?)`, n-1)
}

// text is the SQL of each statement. RETURNING gives no guarantee of an order; callers
// sort.
var text = [statements]string{
	begin:      `BEGIN IMMEDIATE`,
	beginRead:  `BEGIN`,
	commit:     `COMMIT`,
	rollback:   `ROLLBACK`,
	savepoint:  `SAVEPOINT caller`,
	release:    `RELEASE caller`,
	rollbackTo: `ROLLBACK TO caller`,

	// The id is assigned inside the inserting statement: the next insert sees this id or is
	// committed before it.
	insert: `INSERT INTO messages (id, queue, body) VALUES (` + next + `, ?2, ?3)`,
	// In a transaction messages are inserted under ids that were determined before: one
	// statement with many rows is 2 to 3 times as fast as many with one.
	nextID:      `SELECT ` + next,
	restore:     restoreRows(1),
	restoreSome: restoreRows(rowsTogether),
	restoreMany: restoreRows(rowsAtOnce),
	advance:     `UPDATE meta SET last = ?1 WHERE last < ?1`,

	countIDs: `SELECT count(*), max(coalesce(max(last), 0), coalesce((SELECT max(id) FROM messages), 0)) FROM meta`,
	resetIDs: `INSERT INTO meta (one, store, last) VALUES (1, ?1, max(coalesce((SELECT max(id) FROM messages), 0),
		coalesce((SELECT max(rank) FROM record WHERE rank <= ?2), 0))) ON CONFLICT (one) DO UPDATE SET last = excluded.last`,

	takeFirst:   `DELETE FROM messages WHERE id = ` + first + ` RETURNING id, queue, body`,
	takeID:      `DELETE FROM messages WHERE id = ?2 AND queue = ?1 RETURNING id, queue, body`,
	take:        `DELETE FROM messages WHERE id IN (` + selected + `) RETURNING id, queue, body`,
	moveFirst:   `UPDATE messages SET queue = ?2 WHERE id = ` + first + ` RETURNING id, queue, body`,
	moveID:      `UPDATE messages SET queue = ?2 WHERE id = ?3 AND queue = ?1 RETURNING id, queue, body`,
	move:        `UPDATE messages SET queue = ?5 WHERE id IN (` + selected + `) RETURNING id, queue, body`,
	transferID:  `UPDATE messages SET queue = ?2 WHERE id = ?3 AND queue = ?1`,
	transfer:    `UPDATE messages SET queue = ?5 WHERE id IN (` + selected + `)`,
	removeID:    `DELETE FROM messages WHERE id = ?2 AND queue = ?1`,
	removeQueue: `DELETE FROM messages WHERE queue = ?1`,
	remove:      `DELETE FROM messages WHERE id IN (` + selected + `)`,
	// This drains a task's queues at its end, which are nearly always empty: one seek finds
	// that out in half the time of three statements, and the list is not read.
	clearQueues: `DELETE FROM messages WHERE queue >= ?1 AND queue <= ?2 AND +queue IN (SELECT value FROM json_each(?3))`,
	peek: `SELECT id, queue, body FROM messages WHERE queue = ?1 AND id > ?2 AND id <= ?3
		ORDER BY id LIMIT ?4`,
	peekAll: `SELECT id, queue, body FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3`,

	queues:   names + `SELECT name FROM names WHERE name IS NOT NULL LIMIT ?2`,
	stats:    `SELECT ` + counts,
	allStats: names + `SELECT name AS queue, ` + strings.ReplaceAll(counts, "?1", "name") + ` FROM names WHERE name IS NOT NULL LIMIT ?2`,
	storeID:  `SELECT store FROM meta`,
	storeInfo: `SELECT store, max(last, coalesce((SELECT max(id) FROM messages), 0)),
		(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size),
		(SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size),
		(SELECT group_concat(sql, char(10)) FROM sqlite_schema) FROM meta`,
	kinds: `WITH RECURSIVE names (name) AS (
			SELECT min(kind) FROM record
			UNION ALL
			SELECT (SELECT min(kind) FROM record WHERE kind > names.name) FROM names WHERE names.name IS NOT NULL
		) SELECT name FROM names WHERE name IS NOT NULL`,

	states: `WITH RECURSIVE names (name) AS (
			SELECT min(state) FROM record INDEXED BY record_state WHERE kind = ?1 AND state >= ?2
			UNION ALL
			SELECT (SELECT min(state) FROM record INDEXED BY record_state WHERE kind = ?1 AND state > names.name)
			FROM names WHERE names.name IS NOT NULL
		) SELECT name FROM names WHERE name IS NOT NULL`,

	getRecord: `SELECT kind, key, state, rank, body FROM record WHERE kind = ?1 AND key = ?2`,
	records: `SELECT kind, key, state, rank, body FROM record WHERE kind = ? AND rank > ? AND rank <= ?
		ORDER BY rank, key LIMIT ?`,
	newestRecords: `SELECT kind, key, state, rank, body FROM record WHERE kind = ? AND rank > ? AND rank <= ?
		ORDER BY rank DESC, key DESC LIMIT ?`,
	// used by a manager for each task
	stateRecords: `SELECT kind, key, state, rank, body FROM record INDEXED BY record_state
		WHERE kind = ?1 AND rank > ?2 AND rank <= ?3 AND state = ?5 ORDER BY rank, key LIMIT ?4`,
	countRecords: `SELECT state, count(*) FROM record INDEXED BY record_state WHERE kind = ? GROUP BY state`,
	putRecord: `INSERT INTO record (kind, key, state, rank, body) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (kind, key) DO UPDATE SET state = ?3, rank = ?4, body = ?5`,
	swapRecord: `UPDATE record SET state = ?6, rank = ?7, body = ?8` + asBefore,
	// SQLite rewrites an index entry even if nothing in it has changed.
	swapState:    `UPDATE record SET state = ?6, body = ?8` + asBefore,
	swapBody:     `UPDATE record SET body = ?8` + asBefore,
	deleteRecord: `DELETE FROM record WHERE kind = ?1 AND key = ?2`,
}
