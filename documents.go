package weft

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"weft/internal/project"
	"weft/taskspec"
)

// A documents is a folder of a project in which documents are stored under names. Its
// zero value is that of no project: it is empty, and stays so.
type documents struct {
	project string // the .weft of the project
	folder  string // the name of the folder in it
	what    string // is stored, for errors
	check   func(document []byte) error
}

// create stores a document under a new name.
func (f documents) create(name string, document io.Reader) error {
	err := f.store(name, document, (*project.Folder).Add)
	if errors.Is(err, fs.ErrExist) {
		err = ErrSpecExists
	}
	return f.wrap(name, err)
}

// replace stores a document under a name that may be taken.
func (f documents) replace(name string, document io.Reader) error {
	return f.wrap(name, f.store(name, document, (*project.Folder).Replace))
}

// wrap says which document an error is about.
func (f documents) wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", f.what, name, err)
}

// store checks a document and puts it into its place.
func (f documents) store(name string, r io.Reader, put func(f *project.Folder, name string, data []byte) error) error {
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
	folder, err := f.open((*project.Folder).MakeSub)
	if err != nil {
		return err
	}
	defer folder.Close()
	return put(folder, file, document)
}

// names are the names under which something is stored, sorted.
func (f documents) names() ([]string, error) {
	folder, err := f.open((*project.Folder).Sub)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", f.what, err)
	}
	defer folder.Close()
	entries, err := folder.Entries()
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
func (f documents) read(name string) ([]byte, error) {
	file, err := fileOf(name)
	if err != nil {
		return nil, err
	}
	folder, err := f.open((*project.Folder).Sub)
	if err != nil {
		return nil, missing(err)
	}
	defer folder.Close()
	document, err := folder.Read(file, taskspec.MaxDocument)
	return document, missing(err)
}

// remove removes a document.
func (f documents) remove(name string) error {
	file, err := fileOf(name)
	if err == nil {
		err = foreign(f.project)
	}
	if err != nil {
		return f.wrap(name, err)
	}
	folder, err := f.open((*project.Folder).Sub)
	if err != nil {
		return f.wrap(name, missing(err))
	}
	defer folder.Close()
	return f.wrap(name, missing(folder.Remove(file)))
}

// find reads what a person names, and returns it with its name for errors. With a
// "/" in it or ".json" at its end that is a file; else it is what is stored under
// the name or, where there is nothing, a file.
func (f documents) find(nameOrPath string) (document []byte, name string, err error) {
	if strings.ContainsAny(nameOrPath, "/"+string(os.PathSeparator)) || strings.HasSuffix(nameOrPath, extension) {
		return f.readFile(nameOrPath)
	}
	document, err = f.read(nameOrPath)
	if !errors.Is(err, ErrNoSpec) && !errors.Is(err, ErrSpecName) {
		return document, nameOrPath, f.wrap(nameOrPath, err)
	}
	document, name, err = f.readFile(nameOrPath)
	if errors.Is(err, ErrNoSpec) {
		err = fmt.Errorf("%s %s: %w: none is stored under that name, and there is no such file", f.what, nameOrPath, ErrNoSpec)
	}
	return document, name, err
}

// readFile reads a document that is in a file.
func (f documents) readFile(path string) (document []byte, name string, err error) {
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, path, fmt.Errorf("%s %s: %w: there is no such file", f.what, path, ErrNoSpec)
	}
	if err != nil {
		return nil, path, fmt.Errorf("read %s: %w", f.what, err)
	}
	defer r.Close()
	document, err = readDocument(r)
	return document, path, f.wrap(path, err)
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

// open opens the folder, as open does that.
func (f documents) open(open func(f *project.Folder, name string) (*project.Folder, error)) (*project.Folder, error) {
	if f.project == "" {
		return nil, fs.ErrNotExist
	}
	folder, err := project.Open(f.project)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return open(folder, f.folder)
}

// missing makes [ErrNoSpec] of an error that says that there is no such file.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoSpec
	}
	return err
}
