//go:build !linux || fsnotify

package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// createFile makes the file at path, and its folder, if missing.
func createFile(path string) error {
	for range tries {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|openFlags, 0o600)
		if err == nil {
			return file.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("%s is deleted again and again", path)
}

// write writes a byte to the file at path. If the file is missing, no process listens.
func write(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|openFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte{1}, 0)
	return errors.Join(err, file.Close())
}
