package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	driver "modernc.org/sqlite"

	"weft/broker"
)

// TestForeign opens what is not, or not yet, or no longer, a store of this
// version. What is refused must not be changed.
func TestForeign(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error // nil: it becomes a store
	}{
		{"text", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("Dear diary, this is not a database.\n"), 0o600))
		}, broker.ErrNotStore},
		{"a page of zeros", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, make([]byte, 4096), 0o600))
		}, broker.ErrNotStore},
		{"another application's", func(t *testing.T, path string) {
			build(t, path, "CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO photos (name) VALUES ('cat')")
		}, broker.ErrNotStore},
		{"another application's, with our version", func(t *testing.T, path string) {
			build(t, path, fmt.Sprintf("CREATE TABLE photos (name TEXT); PRAGMA user_version=%d", schemaVersion))
		}, broker.ErrNotStore},
		{"another application's, with a greater version", func(t *testing.T, path string) {
			build(t, path, fmt.Sprintf("CREATE TABLE photos (name TEXT); PRAGMA user_version=%d", schemaVersion+1))
		}, broker.ErrNotStore},
		{"another application's, with tables of our names", func(t *testing.T, path string) {
			build(t, path, "CREATE TABLE messages (id INTEGER PRIMARY KEY, queue TEXT, body TEXT)")
		}, broker.ErrNotStore},
		{"another application's, marked and empty", func(t *testing.T, path string) {
			build(t, path, "PRAGMA application_id=1234")
		}, broker.ErrNotStore},
		{"another application's, with a log", func(t *testing.T, path string) {
			build(t, path, "PRAGMA journal_mode=WAL; CREATE TABLE photos (name TEXT)")
		}, broker.ErrNotStore},
		{"a newer store", func(t *testing.T, path string) {
			b, err := Open(filepath.Dir(path), Options{})
			must(t, err)
			must(t, b.Close())
			build(t, path, fmt.Sprintf("PRAGMA user_version=%d; CREATE TABLE later (x)", schemaVersion+1))
		}, broker.ErrNewer},
		{"the store of an older version", func(t *testing.T, path string) {
			b, err := Open(filepath.Dir(path), Options{})
			must(t, err)
			must(t, b.Close())
			build(t, path, fmt.Sprintf("PRAGMA user_version=%d", schemaVersion-1))
		}, nil},
		{"nothing", func(*testing.T, string) {}, nil},
		// What a process leaves that is killed while it creates a store.
		{"an empty file", func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, nil},
		{"an empty log", func(t *testing.T, path string) { build(t, path, "PRAGMA journal_mode=WAL") }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, Name)
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			b, err := Open(dir, Options{})
			if tt.want == nil {
				must(t, err)
				_, err = b.Queue("q").Write(t.Context(), "x")
				must(t, err)
				must(t, b.Close())
				check(t, dir)
				return
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("open: error %v, want %v", err, tt.want)
			}
			if err == nil {
				b.Close()
			}
			if left := openFiles(dir); len(left) > 0 {
				t.Errorf("left descriptors: %q", left)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the file was changed (-before +after):\n%s", diff)
			}
		})
	}
}

// build runs SQL on a database that is not open otherwise.
func build(t *testing.T, path, script string) {
	t.Helper()
	must(t, safeLocks())
	connector, err := driver.NewConnector(dsn(path, "rwc", Full))
	must(t, err)
	db := sqlx.NewDb(sql.OpenDB(connector), "sqlite")
	_, err = db.ExecContext(context.Background(), script)
	must(t, errors.Join(err, db.Close()))
}
