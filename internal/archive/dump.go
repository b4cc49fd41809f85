// Package archive writes the dump of a project to a file, and takes one in.
package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"weft/broker"
	"weft/internal/project"
)

// ExportName is the dump of a project in its folder.
const ExportName = "weft_export.jsonl"

// WriteFile puts what dump writes into the file at path, which only its owner can read.
// The file appears, or replaces the one of that name, when the dump is complete and on
// the disk; folders that are missing are made. A link is followed, unless path is in
// the project's folder dir: what is there may have come with it.
func WriteFile(dir, path string, dump func(io.Writer) (broker.DumpReport, error)) (report broker.DumpReport, err error) {
	defer func() {
		if err != nil {
			report, err = broker.DumpReport{}, fmt.Errorf("dump to %s: %w", path, err)
		}
	}()
	stat := os.Stat
	if filepath.Dir(path) == dir {
		stat = os.Lstat
	}
	place := path
	info, err := stat(path)
	switch {
	case err == nil && info.Mode().IsRegular():
		place, err = filepath.EvalSymlinks(path) // the file is replaced, not the link
	case err == nil:
		err = errors.New("it is not a file; dump to standard output and redirect that")
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err != nil {
		return report, err
	}
	f, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+".*") // mode 0600
	if err != nil {
		return report, err
	}
	report, err = dump(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), place)
	}
	if err != nil {
		return report, errors.Join(err, os.Remove(f.Name()))
	}
	return report, project.Sync(filepath.Dir(place), false)
}
