package weft

import (
	"errors"
	"io"
	"path/filepath"

	"weft/internal/ledger"
	"weft/taskspec"
)

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
func (p *Project) Specs() SpecFolder { return SpecFolder{project: p.dir} }

// SpecsIn is [Project.Specs] for the project in the folder root, which may have no store yet,
// because it has come with a clone.
func SpecsIn(root string) SpecFolder { return SpecFolder{project: filepath.Join(root, ledger.Dir)} }

func (f SpecFolder) documents() documents {
	return documents{project: f.project, folder: "tasks", what: "spec", check: func(document []byte) error {
		_, err := parse(document)
		return err
	}}
}

// A StoredSpec is an entry of a list of specs.
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
	return f.documents().create(name, document)
}

// Replace is [SpecFolder.Create] for a name that may be in use: then the spec
// replaces the stored one.
func (f SpecFolder) Replace(name string, document io.Reader) error {
	return f.documents().replace(name, document)
}

// List returns the stored specs in the order of their names.
func (f SpecFolder) List() ([]StoredSpec, error) {
	names, err := f.documents().names()
	var specs []StoredSpec
	for _, name := range names {
		stored := StoredSpec{Name: name}
		var spec *taskspec.Spec
		if spec, stored.Err = f.Load(name); spec != nil {
			stored.Description, stored.Type = spec.Description, spec.Type
		}
		if !errors.Is(stored.Err, ErrNoSpec) { // deleted meanwhile
			specs = append(specs, stored)
		}
	}
	return specs, err
}

// Read returns a spec as it is stored. Errors wrap [ErrNoSpec] or
// [ErrSpecName].
func (f SpecFolder) Read(name string) ([]byte, error) {
	document, err := f.documents().read(name)
	return document, f.documents().wrap(name, err)
}

// Load reads a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName], or are
// those of [ParseSpec].
func (f SpecFolder) Load(name string) (*taskspec.Spec, error) {
	document, err := f.Read(name)
	if err != nil {
		return nil, err
	}
	spec, err := parse(document)
	return spec, f.documents().wrap(name, err)
}

// Find reads the spec that a person names. With a "/" in it or ".json" at its
// end that is a file; else it is a stored spec or, where there is none of that
// name, a file. If there is neither the error wraps [ErrNoSpec].
func (f SpecFolder) Find(nameOrPath string) (*taskspec.Spec, error) {
	document, name, err := f.documents().find(nameOrPath)
	if err != nil {
		return nil, err
	}
	spec, err := parse(document)
	return spec, f.documents().wrap(name, err)
}

// Delete removes a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName].
func (f SpecFolder) Delete(name string) error { return f.documents().remove(name) }
