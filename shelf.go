package weft

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// A shelf is a folder of a project in which documents are stored under names. Its
// zero value is that of no project: it is empty, and stays so.
type shelf struct {
	project string // the .weft of the project
	folder  string // the name of the folder in it
	what    string // is stored, for errors
	check   func(document []byte) error
}

// create stores a document under a new name.
func (f shelf) create(name string, document io.Reader) error {
	// A link is not made where there is a file, and renaming replaces it.
	err := f.store(name, document, (*os.Root).Link)
	if errors.Is(err, fs.ErrExist) {
		err = ErrSpecExists
	}
	return f.about(name, err)
}

// replace stores a document under a name that may be taken.
func (f shelf) replace(name string, document io.Reader) error {
	return f.about(name, f.store(name, document, (*os.Root).Rename))
}

// about says which document an error is about.
func (f shelf) about(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", f.what, name, err)
}

// store writes a file beside the others and then puts it into its place.
func (f shelf) store(name string, r io.Reader, place func(root *os.Root, from, to string) error) error {
	if f.project == "" {
		return ErrNoProject
	}
	file, err := fileOf(name)
	if err != nil {
		return err
	}
	document, err := readDocument(r)
	if err != nil {
		return err
	}
	if err := f.check(document); err != nil {
		return err
	}
	if err := foreign(f.project); err != nil {
		return err
	}
	root, err := f.open(true)
	if err != nil {
		return err
	}
	defer root.Close()
	temp := "." + rand.Text() // no name begins with a dot
	if err := write(root, temp, document); err != nil {
		return err
	}
	err = place(root, temp, file)
	if gone := root.Remove(temp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

func write(root *os.Root, name string, data []byte) error {
	w, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	if err == nil {
		err = w.Sync() // its place must not be taken by an empty file after a crash
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

// names are the names under which something is stored, sorted.
func (f shelf) names() ([]string, error) {
	root, err := f.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", f.what, err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", f.what, err)
	}
	var names []string
	for _, entry := range entries {
		name, isSpec := strings.CutSuffix(entry.Name(), extension)
		if _, err := fileOf(name); isSpec && err == nil && !entry.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names) // files are in another order, because "." comes after "-"
	return names, nil
}

// read returns a document as it is stored.
func (f shelf) read(name string) ([]byte, error) {
	file, err := fileOf(name)
	if err != nil {
		return nil, err
	}
	root, err := f.open(false)
	if err != nil {
		return nil, missing(err)
	}
	defer root.Close()
	r, err := root.Open(file)
	if err != nil {
		return nil, missing(err)
	}
	defer r.Close()
	return readDocument(r)
}

// remove removes a document.
func (f shelf) remove(name string) error {
	file, err := fileOf(name)
	if err == nil {
		err = foreign(f.project)
	}
	if err != nil {
		return f.about(name, err)
	}
	root, err := f.open(false)
	if err != nil {
		return f.about(name, missing(err))
	}
	defer root.Close()
	return f.about(name, missing(root.Remove(file)))
}

// find reads what a person names, and returns it with its name for errors. With a
// "/" in it or ".json" at its end that is a file; else it is what is stored under
// the name or, where there is nothing, a file.
func (f shelf) find(nameOrPath string) (document []byte, name string, err error) {
	if strings.ContainsAny(nameOrPath, "/"+string(os.PathSeparator)) || strings.HasSuffix(nameOrPath, extension) {
		return f.readFile(nameOrPath)
	}
	document, err = f.read(nameOrPath)
	if !errors.Is(err, ErrNoSpec) && !errors.Is(err, ErrSpecName) {
		return document, nameOrPath, f.about(nameOrPath, err)
	}
	document, name, err = f.readFile(nameOrPath)
	if errors.Is(err, ErrNoSpec) {
		err = fmt.Errorf("%s %s: %w: none is stored under that name, and there is no such file", f.what, nameOrPath, ErrNoSpec)
	}
	return document, name, err
}

// readFile reads a document that is in a file.
func (f shelf) readFile(path string) (document []byte, name string, err error) {
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, path, fmt.Errorf("%s %s: %w: there is no such file", f.what, path, ErrNoSpec)
	}
	if err != nil {
		return nil, path, fmt.Errorf("read %s: %w", f.what, err)
	}
	defer r.Close()
	document, err = readDocument(r)
	return document, path, f.about(path, err)
}

// extension is what the name of a spec's file ends in.
const extension = ".json"

// fileOf is the name of the file of a stored spec.
func fileOf(name string) (string, error) {
	const most = 200 // a file's name may have 255 bytes almost everywhere
	odd := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && r != '_' && r != '.' && r != '-'
	}
	if name == "" || len(name) > most || name[0] == '.' || name[0] == '-' || strings.ContainsFunc(name, odd) {
		return "", fmt.Errorf(`%w: want at most %d letters, digits, "_", "." and "-", beginning with none of the last two`, ErrSpecName, most)
	}
	if strings.HasSuffix(name, extension) {
		return "", fmt.Errorf("%w: what ends in %s is taken for a file", ErrSpecName, extension)
	}
	return name + extension, nil
}

// open opens the folder, after making it where that is asked for. A link in its
// place does not lead out of the project.
func (f shelf) open(create bool) (*os.Root, error) {
	if f.project == "" {
		return nil, fs.ErrNotExist
	}
	project, err := os.OpenRoot(f.project)
	if err != nil {
		return nil, err
	}
	defer project.Close()
	if create {
		if err := project.Mkdir(f.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return project.OpenRoot(f.folder)
}

// missing makes [ErrNoSpec] of an error that says that there is no such file.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoSpec
	}
	return err
}
