package weft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
)

// exportName is the dump of a project in its folder.
const exportName = "weft_export.jsonl"

// DumpOptions say what a dump holds beside queues, aliases and tasks. The zero
// value is nothing.
type DumpOptions struct {
	// State adds the records of managers, endpoints and the like. They are for
	// people to look at: [System.Load] leaves them out.
	State bool
	// Secrets keeps the values of the environment in specs, which are hidden
	// otherwise.
	Secrets bool
}

// ExportFile is where the dump of the project is kept by default.
func (s System) ExportFile() string { return filepath.Join(s.project.dir, exportName) }

// OpenExport opens [System.ExportFile], which must be a regular file and no link to
// one: it may have come with the project. The caller closes it.
func (s System) OpenExport() (*os.File, error) {
	folder, err := project.Open(s.project.dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.Open(exportName)
}

// Dump writes the project to w as JSON lines, which [System.Load] reads. It is
// one state of the project, while tasks run and messages come and go; what the
// environment of submitters was is not in it, nor are files, such as those of
// large outputs. What w received before an error is not a dump. Cancelling ctx
// ends it.
func (s System) Dump(ctx context.Context, w io.Writer, o DumpOptions) (broker.DumpReport, error) {
	return s.project.broker.Dump(ctx, w, ledger.DumpOptions(o.State, o.Secrets, s.project.settings.Redact))
}

// DumpFile is [System.Dump] into a file that only its owner can read. The file
// appears, or replaces the one of that name, when the dump is complete and on
// the disk; folders that are missing are made. A link is followed, but not in the
// project's folder: what is there may have come with it.
func (s System) DumpFile(ctx context.Context, path string, o DumpOptions) (report broker.DumpReport, err error) {
	look := os.Stat
	if filepath.Dir(path) == s.project.dir {
		if err := s.project.trust.foreign; err != nil {
			return report, err
		}
		look = os.Lstat
	}
	info, err := look(path)
	switch {
	case err == nil && info.Mode().IsRegular():
		path, err = filepath.EvalSymlinks(path) // the file is replaced, not the link
	case err == nil:
		err = errors.New("it is not a file; dump to standard output and redirect that")
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err != nil {
		return report, fmt.Errorf("dump to %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return report, fmt.Errorf("dump to %s: %w", path, err)
	}
	report, err = s.Dump(ctx, f, o)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return broker.DumpReport{}, errors.Join(fmt.Errorf("dump to %s: %w", path, err), os.Remove(f.Name()))
	}
	if err := project.Sync(filepath.Dir(path), false); err != nil {
		return broker.DumpReport{}, fmt.Errorf("dump to %s: %w", path, err)
	}
	return report, nil
}
