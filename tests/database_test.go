//go:build linux

package weft_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"weft"
)

// TestOwnDatabase opens a project in a program that has called Init and then opened a SQLite
// database of its own, as a service does.
func TestOwnDatabase(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, t.TempDir())
	cmd.Env = append(os.Environ(), partVariable+"="+partDatabase)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// playDatabase opens a database in dir and then a project there.
func playDatabase(dir string) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, "own.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
		return err
	}
	p, err := weft.Open(dir)
	if err != nil {
		return err
	}
	_, err = db.Exec("INSERT INTO t VALUES (1)")
	return errors.Join(err, p.Close())
}
