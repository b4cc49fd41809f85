// Package sqlite is the embedded backend of [weft/broker]: one SQLite file in a folder,
// shared by any number of processes of one machine.
//
//	b, err := sqlite.Open(".weft", sqlite.Options{})
//
// # How it is written
//
// All writes of a process use one connection. A caller that finds it free becomes the
// leader: it runs the waiting transactions together with its own in one commit (commit.go,
// group.go), which inserts their messages with few statements (batch.go). A single
// operation without competitors runs as one statement without an explicit transaction.
// Other processes are excluded with BEGIN IMMEDIATE; processes that find the store locked
// wait in turn (turn.go). Reads of a single item use the same connection when it is idle;
// others use a small pool of read connections.
//
// # Locks
//
// POSIX record locks, which SQLite uses by default, are dropped by the kernel whenever any
// descriptor of the file is closed in the process: even a backup that opens and closes
// broker.db makes the store lose acknowledged writes. On Linux [Open] therefore switches
// SQLite to open file description locks, for the whole process, and refuses with
// [broker.ErrLockMode] if SQLite has already been used in the other mode. In either mode,
// never open broker.db, broker.db-wal or broker.db-shm by other means in a process that has
// the store open.
package sqlite
