package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The outputs and inputs of tasks are in one folder of a project's, and are named by
// their paths, which end in that folder's name and their own.

// outputs calls fn with the folder that path is in and the name of the file. If
// create is true it makes the folder where that is missing.
func outputs(path string, create bool, fn func(f *Folder, name string) error) error {
	path, name := filepath.Split(path)
	dir, folder := filepath.Split(filepath.Clean(path))
	f, err := Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	sub := f.Sub
	if create {
		sub = f.MakeSub
	}
	if f, err = sub(folder); err != nil {
		return err
	}
	defer f.Close()
	return fn(f, name)
}

// CreateOutput creates a file that must not be there, with its folder if that is
// missing.
func CreateOutput(path string) (file *os.File, err error) {
	err = outputs(path, true, func(f *Folder, name string) error {
		file, err = f.Create(name)
		return err
	})
	return file, err
}

// RemoveOutput removes a file. That it has gone already is no error.
func RemoveOutput(path string) error {
	err := outputs(path, false, func(f *Folder, name string) error { return f.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// OpenOutput opens a file for reading. It must belong to the user whom its folder
// belongs to: else a task could have whoever reads its output read what only he may.
func OpenOutput(path string) (file *os.File, err error) {
	err = outputs(path, false, func(f *Folder, name string) error {
		if file, err = f.Open(name); err != nil {
			return err
		}
		if err = owns(f, file); err != nil {
			err = errors.Join(f.about(name, err), file.Close())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// owns returns an error unless the file belongs to the user whom the folder belongs
// to.
func owns(f *Folder, file *os.File) error {
	owner, err := f.root.Stat(".")
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !sameOwner(owner, info) {
		err = fmt.Errorf("%w of the user whom %s belongs to", ErrNotFile, f.root.Name())
	}
	return err
}

// SyncOutput returns when the file, which path names, would survive a power failure
// under that name.
func SyncOutput(path string, file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	return outputs(path, false, func(f *Folder, _ string) error { return f.sync() })
}

// RestoreOutput sees to it that path names the open file, and that nothing else
// does: where somebody has removed or replaced it, or its folder, it is copied to a
// new one, which is returned. Else it returns file itself.
func RestoreOutput(path string, file *os.File) (restored *os.File, err error) {
	err = outputs(path, true, func(f *Folder, name string) error {
		restored, err = restore(f, name, file)
		return err
	})
	return restored, err
}

func restore(f *Folder, name string, file *os.File) (*os.File, error) {
	own, err := file.Stat()
	if err != nil {
		return nil, err
	}
	info, err := f.Lstat(name)
	switch {
	case err == nil && os.SameFile(own, info) && names(info) == 1:
		return file, nil
	case err == nil:
		err = f.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	restored, err := f.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(restored, io.NewSectionReader(file, 0, own.Size())); err != nil {
		return nil, errors.Join(err, restored.Close(), f.Remove(name))
	}
	return restored, file.Close()
}
