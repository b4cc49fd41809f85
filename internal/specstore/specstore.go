// Package specstore keeps documents, specs and pipelines, under names in a folder of a
// project.
package specstore

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

var (
	// ErrNone is returned when nothing is stored under a name, and no file has that path.
	ErrNone = errors.New("no such spec")
	// ErrExists is returned by [Store.Create] when the name is in use.
	ErrExists = errors.New("there is a spec of that name already")
	// ErrName is returned when nothing can be stored under a name.
	ErrName = errors.New("invalid spec name")
)

// A Store is a folder of a project in which documents are stored under names, each in a
// file NAME.json, which its owner alone may read.
type Store[T any] struct {
	Project string // the .weft of the project; empty is that of none, in which nothing is
	Folder  string // the name of the folder in it
	What    string // is stored, for errors

	Check func(document []byte) error // says whether a document may be stored
	Parse func(document []byte) (T, error)
}

// Create stores a document under a new name.
func (s Store[T]) Create(name string, document io.Reader) error {
	err := s.put(name, document, (*project.Folder).Add)
	if errors.Is(err, fs.ErrExist) {
		err = ErrExists
	}
	return s.about(name, err)
}

// Replace stores a document under a name that may be in use.
func (s Store[T]) Replace(name string, document io.Reader) error {
	return s.about(name, s.put(name, document, (*project.Folder).Replace))
}

// about says which document an error is about.
func (s Store[T]) about(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", s.What, name, err)
}

// put checks a document and puts it into its place.
func (s Store[T]) put(name string, r io.Reader, put func(f *project.Folder, name string, data []byte) error) error {
	if s.Project == "" {
		return project.ErrNone
	}
	file, err := fileOf(name)
	if err != nil {
		return err
	}
	document, err := ReadDocument(r)
	if err == nil {
		err = s.Check(document)
	}
	if err == nil {
		err = project.CheckOwner(s.Project)
	}
	if err != nil {
		return err
	}
	folder, err := s.open((*project.Folder).MakeSub)
	if err != nil {
		return err
	}
	defer folder.Close()
	return put(folder, file, document)
}

// Each calls fn for each name under which something is stored, in their order, with what
// it is, or why it cannot be read.
func (s Store[T]) Each(fn func(name string, v T, err error)) error {
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("list %ss: %w", s.What, err)
	}
	for _, name := range names {
		document, err := s.read(name)
		if errors.Is(err, ErrNone) {
			continue // deleted meanwhile
		}
		v, err := s.parse(name, document, err)
		fn(name, v, err)
	}
	return nil
}

// names are the names under which something is stored, sorted.
func (s Store[T]) names() (names []string, err error) {
	folder, err := s.open((*project.Folder).Sub)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.Entries()
	for _, entry := range entries {
		name, isSpec := strings.CutSuffix(entry.Name(), Extension)
		if _, err := fileOf(name); isSpec && err == nil && !entry.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names) // files are in another order, because "." comes after "-"
	return names, err
}

// Read returns a document as it is stored.
func (s Store[T]) Read(name string) ([]byte, error) {
	document, err := s.read(name)
	return document, s.about(name, err)
}

// Load reads what is stored under a name.
func (s Store[T]) Load(name string) (T, error) {
	document, err := s.read(name)
	return s.parse(name, document, err)
}

// parse reads a document that was read, unless there was an error.
func (s Store[T]) parse(name string, document []byte, err error) (v T, _ error) {
	if err == nil {
		v, err = s.Parse(document)
	}
	return v, s.about(name, err)
}

func (s Store[T]) read(name string) ([]byte, error) {
	file, err := fileOf(name)
	if err != nil {
		return nil, err
	}
	folder, err := s.open((*project.Folder).Sub)
	if err != nil {
		return nil, missing(err)
	}
	defer folder.Close()
	document, err := folder.Read(file, taskspec.MaxDocument)
	return document, missing(err)
}

// Remove removes a document.
func (s Store[T]) Remove(name string) error {
	file, err := fileOf(name)
	if err == nil {
		err = project.CheckOwner(s.Project)
	}
	if err != nil {
		return s.about(name, err)
	}
	folder, err := s.open((*project.Folder).Sub)
	if err != nil {
		return s.about(name, missing(err))
	}
	defer folder.Close()
	return s.about(name, missing(folder.Remove(file)))
}

// Find reads what a person names. With a "/" in it or ".json" at its end that is a
// file; else it is what is stored under the name or, where there is nothing, a file.
func (s Store[T]) Find(nameOrPath string) (T, error) {
	if !strings.ContainsAny(nameOrPath, "/"+string(os.PathSeparator)) && !strings.HasSuffix(nameOrPath, Extension) {
		document, err := s.read(nameOrPath)
		if !errors.Is(err, ErrNone) && !errors.Is(err, ErrName) {
			return s.parse(nameOrPath, document, err)
		}
		v, err := s.ReadFile(nameOrPath)
		if errors.Is(err, errNoFile) {
			err = s.about(nameOrPath, fmt.Errorf("%w: none is stored under that name, and there is no such file", ErrNone))
		}
		return v, err
	}
	return s.ReadFile(nameOrPath)
}

// errNoFile is [ErrNone] for a file.
var errNoFile = fmt.Errorf("%w: there is no such file", ErrNone)

// ReadFile reads what is in the file at path.
func (s Store[T]) ReadFile(path string) (v T, err error) {
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v, s.about(path, errNoFile)
	}
	if err != nil {
		return v, fmt.Errorf("read %s: %w", s.What, err)
	}
	defer r.Close()
	document, err := ReadDocument(r)
	return s.parse(path, document, err)
}

// ReadDocument reads no more than it takes to see that a document is too long.
func ReadDocument(r io.Reader) ([]byte, error) {
	document, err := io.ReadAll(io.LimitReader(r, taskspec.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	return document, nil
}

// Extension is what the name of a document's file ends in.
const Extension = ".json"

// fileOf is the name of the file of a stored document.
func fileOf(name string) (string, error) {
	const most = 200 // a file's name may have 255 bytes almost everywhere
	odd := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && r != '_' && r != '.' && r != '-'
	}
	if name == "" || len(name) > most || name[0] == '.' || name[0] == '-' || strings.ContainsFunc(name, odd) {
		return "", fmt.Errorf(`%w: want at most %d letters, digits, "_", "." and "-", beginning with none of the last two`, ErrName, most)
	}
	if strings.HasSuffix(name, Extension) {
		return "", fmt.Errorf("%w: what ends in %s is taken for a file", ErrName, Extension)
	}
	return name + Extension, nil
}

// open opens the folder, as open does that.
func (s Store[T]) open(open func(f *project.Folder, name string) (*project.Folder, error)) (*project.Folder, error) {
	if s.Project == "" {
		return nil, fs.ErrNotExist
	}
	folder, err := project.Open(s.Project)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return open(folder, s.Folder)
}

// missing makes [ErrNone] of an error that says that there is no such file.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	return err
}
