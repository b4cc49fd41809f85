package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	driver "modernc.org/sqlite"
)

// Inspect reads the whole store in the folder dir and returns an error that describes the
// damage. It changes nothing and blocks no other process, and takes about 0.2 s for 100 MB
// that are cached. Cancelling ctx ends it.
func Inspect(ctx context.Context, dir string) error {
	if err := inspect(ctx, dir); err != nil {
		return fmt.Errorf("inspect store in %s: %w", dir, err)
	}
	return nil
}

func inspect(ctx context.Context, dir string) error {
	path, err := filepath.Abs(filepath.Join(dir, Name))
	if err != nil {
		return err
	}
	connector, err := driver.NewConnector(dsn(path, "ro", Full))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return translate(path, err)
	}
	if found != "ok" {
		return fmt.Errorf("it is damaged: %s", found)
	}
	return nil
}
