package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Inspect says by what means those who listen in the folder dir hear, as
// [Notifier.Mode] does once somebody listens, and returns an error if they cannot,
// because something else stands where a bell has to be. It changes nothing.
func Inspect(dir string) (means string, err error) {
	var kind fs.FileMode // what a bell is
	if watcherName == "pipes" {
		kind = fs.ModeNamedPipe
	}
	for bell := range Channels {
		path := filepath.Join(dir, fileName(bell))
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is made when somebody listens
		}
		if err != nil {
			return watcherName, fmt.Errorf("inspect bells: %w", err)
		}
		if info.Mode().Type() != kind {
			return watcherName, fmt.Errorf("inspect bells: %s is not a bell", path)
		}
	}
	return watcherName, nil
}
