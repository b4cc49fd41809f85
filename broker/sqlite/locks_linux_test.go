package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	driver "modernc.org/sqlite"

	"weft/broker"
)

// touchRole writes ten messages, opens and closes the store's files as a
// backup would, lets the parent do something, and writes ten more.
func touchRole(args []string) error {
	dir := args[0]
	b, err := Open(dir, Options{AcceptPOSIXLocks: true})
	if err != nil {
		return err
	}
	write := func() error {
		for range 10 {
			id, err := b.Queue("q").Write(context.Background(), "x")
			if err != nil {
				return err
			}
			say(id)
		}
		return nil
	}
	if err := write(); err != nil {
		return err
	}
	for _, name := range []string{Name, Name + "-wal", Name + "-shm"} {
		if _, err := os.ReadFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	say("touched")
	if err := pause(); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	say("written")
	return pause() // killed here
}

// TestTouchedFiles opens and closes the files of a store in a process that has
// it open. With POSIX locks another process that opens and closes the store
// then takes itself for the last one and deletes the log under the writer, who
// goes on and loses what it has acknowledged.
func TestTouchedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, "touch", dir)
	var acknowledged []string
	until := func(last string) {
		for {
			line, ok := c.line()
			if !ok {
				t.Fatalf("no %q: %v", last, c.end())
			}
			if line == last {
				return
			}
			acknowledged = append(acknowledged, line)
		}
	}
	until("touched")
	b, err := Open(dir, Options{})
	must(t, err)
	contents(t, b, "q")
	must(t, b.Close())
	c.tell()
	until("written")
	must(t, c.cmd.Process.Kill())
	if err := c.end(); err == nil {
		t.Error("it was not killed")
	}
	b, err = Open(dir, Options{})
	must(t, err)
	stored := contents(t, b, "q")
	must(t, b.Close())
	lost := 0
	for _, line := range acknowledged {
		id, err := broker.ParseID(line)
		must(t, err)
		if _, ok := stored[id]; !ok {
			lost++
		}
	}
	if len(acknowledged) != 20 || lost > 0 {
		t.Errorf("%d of %d acknowledged messages are lost", lost, len(acknowledged))
	}
	check(t, dir)
}

// lockModeRole opens a store in a process that has used SQLite before.
func lockModeRole(args []string) error {
	db, err := sql.Open("sqlite", filepath.Join(args[0], "other.db"))
	if err != nil {
		return err
	}
	if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
		return err
	}
	if driver.OFDLockingEnabled() {
		return errors.New("the other database is locked in the safe way already")
	}
	if _, err := Open(args[0], Options{}); !errors.Is(err, broker.ErrLockMode) {
		return fmt.Errorf("open: error %v, want %v", err, broker.ErrLockMode)
	}
	if _, err := os.Lstat(filepath.Join(args[0], Name)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("refused, and left a file: %v", err)
	}
	b, err := Open(args[0], Options{AcceptPOSIXLocks: true})
	if err != nil {
		return err
	}
	_, err = b.Queue("q").Write(context.Background(), "x")
	return errors.Join(err, b.Close(), db.Close())
}

func TestLockMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "lock mode", dir).finish()
	if !driver.OFDLockingEnabled() {
		b, err := Open(t.TempDir(), Options{})
		must(t, err)
		must(t, b.Close())
	}
	if !driver.OFDLockingEnabled() {
		t.Error("a process that opens a store has unsafe locks")
	}
	check(t, dir)
}

// deafRole waits for messages where the system refuses to watch files.
func deafRole(args []string) error {
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	// The runtime needs descriptors for its poller, and ends the process if it
	// cannot have them: a pipe makes it take them now.
	pr, pw, err := os.Pipe()
	if err := errors.Join(err, pr.Close(), pw.Close()); err != nil {
		return err
	}
	allow, err := forbidDescriptors()
	if err != nil {
		return err
	}
	w, err := b.Listen("q")
	if err := errors.Join(err, allow()); err != nil {
		return err
	}
	defer w.Close()
	say("listening")
	for {
		// C and not Wait, whose slow look would find the message too.
		<-w.C()
		_, err := b.Queue("q").Read(context.Background())
		if errors.Is(err, broker.ErrEmpty) {
			continue
		}
		if err != nil {
			return err
		}
		say("read")
		break
	}
	if err := b.Close(); err != nil {
		return err
	}
	if left := openFiles(args[0]); len(left) > 0 {
		return fmt.Errorf("closed store left descriptors: %q", left)
	}
	return nil
}

func TestPolling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	c := start(t, "deaf", dir)
	c.expect("listening")
	_, err = b.Queue("q").Write(t.Context(), "x")
	must(t, err)
	c.expect("read")
	c.finish()
}
