package weft

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"weft/internal/ledger"
	"weft/internal/specstore"
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

func (f SpecFolder) store() specstore.Store[*taskspec.Spec] {
	check := func(document []byte) error { _, err := parse(document); return err }
	return specstore.Store[*taskspec.Spec]{Project: f.project, Folder: "tasks", What: "spec", Check: check, Parse: parse}
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
	return f.store().Create(name, document)
}

// Replace is [SpecFolder.Create] for a name that may be in use: then the spec
// replaces the stored one.
func (f SpecFolder) Replace(name string, document io.Reader) error {
	return f.store().Replace(name, document)
}

// List returns the stored specs in the order of their names.
func (f SpecFolder) List() (all []StoredSpec, err error) {
	err = f.store().Each(func(name string, spec *taskspec.Spec, err error) {
		stored := StoredSpec{Name: name, Err: err}
		if spec != nil {
			stored.Description, stored.Type = spec.Description, spec.Type
		}
		all = append(all, stored)
	})
	return all, err
}

// Read returns a spec as it is stored. Errors wrap [ErrNoSpec] or
// [ErrSpecName].
func (f SpecFolder) Read(name string) ([]byte, error) { return f.store().Read(name) }

// Load reads a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName], or are
// those of [ParseSpec].
func (f SpecFolder) Load(name string) (*taskspec.Spec, error) { return f.store().Load(name) }

// Find reads the spec that a person names. With a "/" in it or ".json" at its
// end that is a file; else it is a stored spec or, where there is none of that
// name, a file. If there is neither the error wraps [ErrNoSpec].
func (f SpecFolder) Find(nameOrPath string) (*taskspec.Spec, error) {
	return f.store().Find(nameOrPath)
}

// Delete removes a stored spec. Errors wrap [ErrNoSpec] or [ErrSpecName].
func (f SpecFolder) Delete(name string) error { return f.store().Remove(name) }

// ParseSpec reads a template in JSON from r, to its end. A bad one gives a
// *[taskspec.ValidationError] that names every problem, and also what this
// version does not do yet.
func ParseSpec(r io.Reader) (*taskspec.Spec, error) {
	document, err := specstore.ReadDocument(r)
	if err != nil {
		return nil, err
	}
	return parse(document)
}

// ReadSpec is [ParseSpec] for a file. Where there is none the error wraps
// [ErrNoSpec].
func ReadSpec(path string) (*taskspec.Spec, error) { return SpecFolder{}.store().ReadFile(path) }

func parse(document []byte) (*taskspec.Spec, error) {
	return taskspec.DecodeValid(document, templateRules())
}

// templateRules are what a spec must keep to be submitted here.
func templateRules() taskspec.Rules {
	return taskspec.Rules{Template: true, Cores: runtime.NumCPU(), Supported: true}
}

// A PipelineFolder holds the pipelines of a project that are stored under a name,
// as a [SpecFolder] holds its specs: in files .weft/pipelines/NAME.json. The zero
// value is the folder of no project; what it finds in files names no stored specs.
type PipelineFolder struct {
	project string // the .weft of the project
}

// Pipelines gives access to the stored pipelines of a project.
func (p *Project) Pipelines() PipelineFolder { return PipelineFolder{project: p.dir} }

// PipelinesIn is [Project.Pipelines] as [SpecsIn] is [Project.Specs].
func PipelinesIn(root string) PipelineFolder { return PipelineFolder(SpecsIn(root)) }

func (f PipelineFolder) store() specstore.Store[*Pipeline] {
	check := func(document []byte) error { _, err := taskspec.DecodePipeline(document); return err }
	return specstore.Store[*Pipeline]{Project: f.project, Folder: "pipelines", What: "pipeline", Check: check, Parse: f.parse}
}

// A StoredPipeline is an entry of a list of pipelines.
type StoredPipeline struct {
	Name        string // under which it is stored
	Description string
	Stages      []string // their names
	Err         error    // why it cannot be run; then the others but Name are empty
}

// Create stores a pipeline, a document in JSON (see [taskspec.Pipeline]), as it is
// under a new name. One that cannot be a pipeline is not stored, and the error is a
// *[taskspec.ValidationError]; the tasks that it names may be stored later. Else it
// is like [SpecFolder.Create].
func (f PipelineFolder) Create(name string, document io.Reader) error {
	return f.store().Create(name, document)
}

// Replace is [PipelineFolder.Create] for a name that may be in use: then the pipeline
// replaces the stored one.
func (f PipelineFolder) Replace(name string, document io.Reader) error {
	return f.store().Replace(name, document)
}

// List returns the stored pipelines in the order of their names.
func (f PipelineFolder) List() (all []StoredPipeline, err error) {
	err = f.store().Each(func(name string, p *Pipeline, err error) {
		stored := StoredPipeline{Name: name, Err: err}
		if p != nil {
			stored.Description = p.Description
			for _, s := range p.Stages {
				stored.Stages = append(stored.Stages, s.Name)
			}
		}
		all = append(all, stored)
	})
	return all, err
}

// Read returns a pipeline as it is stored. Errors wrap [ErrNoSpec] or
// [ErrSpecName].
func (f PipelineFolder) Read(name string) ([]byte, error) { return f.store().Read(name) }

// Load reads a stored pipeline, and else is like [PipelineFolder.Find].
func (f PipelineFolder) Load(name string) (*Pipeline, error) { return f.store().Load(name) }

// Find reads the pipeline that a person names, as [SpecFolder.Find] does a spec, and
// the stored specs that its stages name. Errors wrap [ErrNoSpec], or hold a
// *[taskspec.ValidationError] that names every problem of the pipeline, or of a
// stage.
func (f PipelineFolder) Find(nameOrPath string) (*Pipeline, error) {
	return f.store().Find(nameOrPath)
}

// Parse reads a pipeline in JSON from r, to its end; else it is like
// [PipelineFolder.Find].
func (f PipelineFolder) Parse(r io.Reader) (*Pipeline, error) {
	document, err := specstore.ReadDocument(r)
	if err != nil {
		return nil, err
	}
	return f.parse(document)
}

// parse reads a pipeline and the specs that it names.
func (f PipelineFolder) parse(document []byte) (*Pipeline, error) {
	form, err := taskspec.DecodePipeline(document)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{Name: form.Name, Description: form.Description}
	specs := SpecFolder(f)
	var missing error
	for i := range form.Stages {
		s := &form.Stages[i]
		task, err := specs.Load(s.Task)
		if err != nil {
			err = fmt.Errorf("stage %s: %w", s.StageName(), err)
			if missing != nil {
				err = fmt.Errorf("%w; %w", missing, err)
			}
			missing = err
			continue
		}
		p.Stages = append(p.Stages, Stage{Name: s.StageName(), Spec: s.Over(task), Input: s.Defaults.Input})
	}
	if missing == nil {
		missing = p.check()
	}
	if missing != nil {
		return nil, missing
	}
	return p, nil
}

// Delete removes a stored pipeline. Errors wrap [ErrNoSpec] or [ErrSpecName].
func (f PipelineFolder) Delete(name string) error { return f.store().Remove(name) }
