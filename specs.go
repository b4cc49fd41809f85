package weft

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"weft/taskspec"
)

// ErrNoSpec is returned where no spec is stored under a name, and no file has
// it for its path.
var ErrNoSpec = errors.New("no such spec")

// ErrSpecExists is returned by [SpecFolder.Create] for a name that is taken.
var ErrSpecExists = errors.New("there is a spec of that name already")

// ErrSpecName is returned for a name that no spec can be stored under.
var ErrSpecName = errors.New("invalid spec name")

// A SpecFolder holds the specs of a project that are stored under a name. The
// name has letters, digits, "_", "." and "-", begins with none of the last two,
// does not end in ".json" and has at most 200 characters. The spec is in the
// file .weft/tasks/NAME.json, which its owner alone may read. Nothing outside
// that folder is read or written, not even through symbolic links.
//
// The zero value is the folder of no project: it is empty, and stays so. A
// SpecFolder may be shared.
type SpecFolder struct {
	project string // the .weft of the project
}

// Specs gives access to the stored specs of a project.
func Specs(c *Context) SpecFolder { return SpecFolder{project: c.dir} }

// A StoredSpec is what a list tells about a spec.
type StoredSpec struct {
	Name        string // under which it is stored
	Description string
	Type        taskspec.Kind
	Err         error // why it cannot be run; then the others but Name are empty
}

// Create stores a spec, a document in JSON, as it is under a new name. A
// document that [ParseSpec] refuses is not stored, with the same error. Others
// see all of the spec or none of it.
//
// Errors wrap [ErrSpecExists] where the name is taken, [ErrSpecName], or
// [ErrNoProject] for the zero SpecFolder.
func (f SpecFolder) Create(name string, document io.Reader) error {
	// A link is not made where there is a file, and renaming replaces it.
	err := f.store(name, document, (*os.Root).Link)
	if errors.Is(err, fs.ErrExist) {
		err = ErrSpecExists
	}
	return about(name, err)
}

// Replace is [SpecFolder.Create] for a name that may be taken: then the spec
// replaces the one that was there.
func (f SpecFolder) Replace(name string, document io.Reader) error {
	return about(name, f.store(name, document, (*os.Root).Rename))
}

// about says which stored spec an error is about.
func about(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("spec %s: %w", name, err)
}

// store writes a file beside the others and then puts it into its place.
func (f SpecFolder) store(name string, r io.Reader, place func(root *os.Root, from, to string) error) error {
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
	if _, err := parse(document); err != nil {
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

// List returns the stored specs in the order of their names.
func (f SpecFolder) List() ([]StoredSpec, error) {
	root, err := f.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list specs: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list specs: %w", err)
	}
	var specs []StoredSpec
	for _, entry := range entries {
		name, isSpec := strings.CutSuffix(entry.Name(), extension)
		if _, err := fileOf(name); !isSpec || err != nil || entry.IsDir() {
			continue
		}
		stored := StoredSpec{Name: name}
		var spec *taskspec.Spec
		if spec, stored.Err = f.Load(name); spec != nil {
			stored.Description, stored.Type = spec.Description, spec.Spec.Type
		}
		if !errors.Is(stored.Err, ErrNoSpec) { // deleted meanwhile
			specs = append(specs, stored)
		}
	}
	// Files are in another order, because "." comes after "-".
	slices.SortFunc(specs, func(a, b StoredSpec) int { return cmp.Compare(a.Name, b.Name) })
	return specs, nil
}

// Read returns a spec as it is stored. Errors wrap [ErrNoSpec] or
// [ErrSpecName].
func (f SpecFolder) Read(name string) ([]byte, error) {
	document, err := f.read(name)
	return document, about(name, err)
}

func (f SpecFolder) read(name string) ([]byte, error) {
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

// Load reads a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName], or are
// those of [ParseSpec].
func (f SpecFolder) Load(name string) (*taskspec.Spec, error) {
	document, err := f.read(name)
	if err != nil {
		return nil, about(name, err)
	}
	spec, err := parse(document)
	return spec, about(name, err)
}

// Find reads the spec that a person names. With a "/" in it or ".json" at its
// end that is a file; else it is a stored spec or, where there is none of that
// name, a file. If there is neither the error wraps [ErrNoSpec].
func (f SpecFolder) Find(nameOrPath string) (*taskspec.Spec, error) {
	if strings.ContainsAny(nameOrPath, "/"+string(os.PathSeparator)) || strings.HasSuffix(nameOrPath, extension) {
		return ReadSpec(nameOrPath)
	}
	spec, err := f.Load(nameOrPath)
	if !errors.Is(err, ErrNoSpec) && !errors.Is(err, ErrSpecName) {
		return spec, err
	}
	spec, err = ReadSpec(nameOrPath)
	if errors.Is(err, ErrNoSpec) {
		err = fmt.Errorf("spec %s: %w: none is stored under that name, and there is no such file", nameOrPath, ErrNoSpec)
	}
	return spec, err
}

// Delete removes a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName].
func (f SpecFolder) Delete(name string) error {
	file, err := fileOf(name)
	if err != nil {
		return about(name, err)
	}
	root, err := f.open(false)
	if err != nil {
		return about(name, missing(err))
	}
	defer root.Close()
	return about(name, missing(root.Remove(file)))
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

// specsName is the folder of the stored specs in that of the project.
const specsName = "tasks"

// open opens the folder, after making it where that is asked for. A link in its
// place does not lead out of the project.
func (f SpecFolder) open(create bool) (*os.Root, error) {
	if f.project == "" {
		return nil, fs.ErrNotExist
	}
	project, err := os.OpenRoot(f.project)
	if err != nil {
		return nil, err
	}
	defer project.Close()
	if create {
		if err := project.Mkdir(specsName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return project.OpenRoot(specsName)
}

// missing makes [ErrNoSpec] of an error that says that there is no such file.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoSpec
	}
	return err
}
