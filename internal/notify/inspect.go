package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Inspect returns by what means a listener in the folder dir would be notified, as
// [Notifier.Mode] does once there is one. It returns an error if that is impossible because
// a file of another kind has the name of a channel. It changes nothing.
func Inspect(dir string) (means string, err error) {
	var kind fs.FileMode // the type of a channel's file
	if watcherName == "pipes" {
		kind = fs.ModeNamedPipe
	}
	for channel := range Channels {
		path := filepath.Join(dir, fileName(channel))
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is made when a process listens
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
