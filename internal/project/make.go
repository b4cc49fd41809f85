package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNone is returned where there is no project.
var ErrNone = errors.New("no weft project found")

// ErrOwner is returned for a project that belongs to another user.
var ErrOwner = errors.New("project belongs to another user")

// CheckOwner returns an error that wraps [ErrOwner] if a project's folder is there and
// belongs to another user.
func CheckOwner(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || Ours(info) {
		return nil // what is wrong with it shows when it is used
	}
	return fmt.Errorf("%w: run as its owner: sudo -u %s weft …", ErrOwner, ownerName(info))
}

// folders are what a project's folder holds beside files.
var folders = []string{"tasks", "pipelines", "outputs", LogFolder}

// ignoreName is the file that keeps version control away from the project's folder.
const ignoreName = ".gitignore"

// Make makes the project's folder dir, readable for its owner only, and reports
// whether it was not there: only then has nothing in it come from elsewhere.
func Make(dir string) (made bool, err error) {
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return false, Check(dir)
	}
	return err == nil, err
}

// Check returns an error unless dir is a folder, and no link to one.
func Check(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	return err
}

// Complete makes what is missing in the project's folder dir, and returns an error
// if something else is in the place of it.
func Complete(dir string) error {
	f, err := Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, name := range folders {
		if err := makeIn(f, name); err != nil {
			return err
		}
	}
	info, err := f.Lstat(ignoreName)
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.Add(ignoreName, []byte("*\n")); errors.Is(err, fs.ErrExist) {
			err = nil // somebody else has just made it
		}
		return err
	}
	if err == nil {
		err = f.about(ignoreName, check(info, linked))
	}
	return err
}

// MakeFolder makes a folder in the project's folder dir, if it is missing.
func MakeFolder(dir, name string) error {
	f, err := Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return makeIn(f, name)
}

func makeIn(f *Folder, name string) error {
	sub, err := f.MakeSub(name)
	if err != nil {
		return err
	}
	return sub.Close()
}

// Sync makes the names of the files in the folder dir durable, and that of the folder
// itself if it was made.
func Sync(dir string, made bool) error {
	all := []string{dir}
	if made {
		all = append(all, filepath.Dir(dir))
	}
	for _, dir := range all {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(syncDir(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
