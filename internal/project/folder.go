// Package project opens the files of a project's folder, .weft.
//
// The folder may have come with a clone or an archive, or belong to another user,
// who can change it at any moment. So nothing in it is taken for what its name
// says: no link is followed, not even one to another file of the folder; a file is
// opened without waiting, and refused unless it is a regular file; what is read is
// bounded; and what is created has not been there, and is its user's alone.
//
// All who open files below .weft do it here. Three packages have files of a kind of
// their own, and the same rules: broker/sqlite, internal/notify with its pipes, and
// internal/socket with its sockets.
package project

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotFile is returned for what has the name of a file and is none, or not only
// this one: a link, a pipe, a device, a folder, a file with several names.
var ErrNotFile = errors.New("not a regular file")

// ErrNotFolder is returned for what has the name of a folder and is none.
var ErrNotFolder = errors.New("not a folder")

// ErrTooLarge is returned by [Folder.Read] for a file of more than it may have.
var ErrTooLarge = errors.New("file too large")

// A Folder is a project's folder, or one in it. Names are those of its entries,
// without a path.
type Folder struct{ root *os.Root }

// Open opens the project's folder dir. The caller closes it.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{root}, nil
}

// Close releases the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Sub opens a folder in this one. The caller closes it.
func (f *Folder) Sub(name string) (*Folder, error) {
	before, err := f.Lstat(name)
	if err == nil && !before.IsDir() {
		err = f.about(name, fmt.Errorf("%w but %s: remove it", ErrNotFolder, kind(before)))
	}
	if err != nil {
		return nil, err
	}
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, f.about(name, err)
	}
	if now, err := root.Stat("."); err != nil || !os.SameFile(before, now) {
		return nil, errors.Join(f.about(name, errAgain), root.Close())
	}
	return &Folder{root}, nil
}

// MakeSub is [Folder.Sub], and makes the folder if it is missing.
func (f *Folder) MakeSub(name string) (*Folder, error) {
	sub, err := f.Sub(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return sub, err
	}
	if err := f.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, f.about(name, err)
	}
	return f.Sub(name)
}

// Lock opens the file called name in dir, a project's folder, for locking, and
// creates it if it is missing.
func Lock(dir, name string) (*os.File, error) {
	f, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return openOrCreate(f, name, os.O_RDWR)
}

// OpenLock opens such a file to see whether it is locked: it creates nothing, and
// needs nothing that can be written.
func OpenLock(dir, name string) (*os.File, error) {
	f, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return open(f, name, os.O_RDONLY, alone)
}

// Open opens a file for reading.
func (f *Folder) Open(name string) (*os.File, error) { return open(f, name, os.O_RDONLY, alone) }

// Create creates a file that must not be there, for reading and writing.
func (f *Folder) Create(name string) (*os.File, error) {
	return create(f, name, os.O_RDWR)
}

// create creates a file. With O_EXCL nothing is followed.
func create(f *Folder, name string, flag int) (*os.File, error) {
	file, err := f.root.OpenFile(name, flag|os.O_CREATE|os.O_EXCL, 0o600)
	return file, f.about(name, err)
}

// tries bounds how often a file is looked for again that others create and remove.
const tries = 100

var errAgain = errors.New("it is replaced again and again")

func openOrCreate(f *Folder, name string, flag int) (*os.File, error) {
	for range tries {
		file, err := open(f, name, flag, alone)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		file, err = create(f, name, flag)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
	return nil, f.about(name, errAgain)
}

// Whether a file may have other names. One that is being put into its place has
// two for a moment.
const (
	alone  = true
	linked = false
)

// ours reports whether the folder belongs to the user of this process.
func (f *Folder) ours() bool {
	info, err := f.root.Stat(".")
	return err == nil && Ours(info)
}

// open opens a file that is there, if it is one, and still the one that was looked
// at: links inside the folder would be followed. It looks again if it is not, because
// some file systems make another one of a file that is opened for writing.
func open(f *Folder, name string, flag int, alone bool) (*os.File, error) {
	for range tries {
		before, err := f.Lstat(name)
		if err == nil {
			err = f.about(name, check(before, alone))
		}
		if err != nil {
			return nil, err
		}
		file, err := f.root.OpenFile(name, flag|openFlags, 0)
		if errors.Is(err, fs.ErrPermission) && !Ours(before) && f.ours() {
			err = fmt.Errorf("%w: it belongs to another user, who has run something here: remove it when that has ended", fs.ErrPermission)
		}
		if err != nil {
			return nil, f.about(name, err)
		}
		now, err := file.Stat()
		if err == nil && os.SameFile(before, now) {
			return file, nil
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
	return nil, f.about(name, errAgain)
}

// Read returns what is in a file, which must not be more than most bytes.
func (f *Folder) Read(name string, most int64) ([]byte, error) {
	file, err := open(f, name, os.O_RDONLY, linked)
	if err != nil {
		return nil, err
	}
	return readAll(file, most)
}

// ReadFile is [Folder.Read] for a file that a user names, by any path: links lead
// to it.
func ReadFile(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w but %s", ErrNotFile, kind(info))}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return readAll(file, most)
}

func readAll(file *os.File, most int64) ([]byte, error) {
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		err = &fs.PathError{Op: "read", Path: file.Name(), Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)}
	}
	return data, err
}

// Add puts a file with this content into the folder. A name that is taken is an
// error that wraps [fs.ErrExist].
func (f *Folder) Add(name string, data []byte) error { return put(f, name, data, f.root.Link) }

// Replace is [Folder.Add] for a name that may be taken.
func (f *Folder) Replace(name string, data []byte) error { return put(f, name, data, f.root.Rename) }

// put writes a file beside the others, and puts it into its place once it is
// durable: others see all of it or nothing, also after a power failure.
func put(f *Folder, name string, data []byte, place func(from, to string) error) error {
	temp := "." + rand.Text()
	file, err := f.Create(temp)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = place(temp, name)
	}
	if gone := f.root.Remove(temp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err == nil {
		err = f.sync()
	}
	return err
}

// sync makes the names of the files in the folder durable.
func (f *Folder) sync() error {
	dir, err := f.Dir()
	if err != nil {
		return err
	}
	return errors.Join(syncDir(dir), dir.Close())
}

// Dir opens the folder itself, to read its entries.
func (f *Folder) Dir() (*os.File, error) { return f.root.Open(".") }

// Entries are the entries of the folder, in no order.
func (f *Folder) Entries() ([]fs.DirEntry, error) {
	dir, err := f.Dir()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadDir(-1)
}

// Lstat describes an entry, and follows no link.
func (f *Folder) Lstat(name string) (fs.FileInfo, error) {
	info, err := f.root.Lstat(name)
	return info, f.about(name, err)
}

// Remove removes a file, or an empty folder; of a link, the link.
func (f *Folder) Remove(name string) error {
	err := f.about(name, f.root.Remove(name))
	if e, ok := err.(*fs.PathError); ok {
		e.Op = "remove"
	}
	return err
}

// about says which entry an error is about, by its whole path.
func (f *Folder) about(name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return &fs.PathError{Op: "open", Path: filepath.Join(f.root.Name(), name), Err: err}
}

// CheckFile returns an error unless path, of which the last element is not
// followed, is a regular file without other names.
func CheckFile(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if err := check(info, alone); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// check returns an error unless info is of a regular file, and, if it must be
// alone, of one that has no other name.
func check(info fs.FileInfo, alone bool) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w but %s: remove it", ErrNotFile, kind(info))
	}
	if n := names(info); alone && n > 1 {
		return fmt.Errorf("%w of its own: it has %d names (hard links): put a copy in its place", ErrNotFile, n)
	}
	return nil
}

// kind says what something is.
func kind(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a folder"
	case mode.IsRegular():
		return "a file"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
