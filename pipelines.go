package weft

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"weft/taskspec"
)

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

func (f PipelineFolder) documents() documents {
	return documents{project: f.project, folder: "pipelines", what: "pipeline", check: func(document []byte) error {
		_, err := taskspec.DecodePipeline(document)
		return err
	}}
}

// IsPipeline reports whether a document in JSON is meant to be a pipeline, and not a
// spec: it is an object with stages.
func IsPipeline(document []byte) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(document, &fields) == nil && fields["stages"] != nil
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
	return f.documents().create(name, document)
}

// Replace is [PipelineFolder.Create] for a name that may be in use: then the pipeline
// replaces the stored one.
func (f PipelineFolder) Replace(name string, document io.Reader) error {
	return f.documents().replace(name, document)
}

// List returns the stored pipelines in the order of their names.
func (f PipelineFolder) List() ([]StoredPipeline, error) {
	names, err := f.documents().names()
	var all []StoredPipeline
	for _, name := range names {
		document, err := f.Read(name)
		if errors.Is(err, ErrNoSpec) {
			continue // deleted meanwhile
		}
		stored := StoredPipeline{Name: name}
		var p *Pipeline
		if err == nil {
			p, err = f.parse(document)
		}
		if stored.Err = f.documents().wrap(name, err); err == nil {
			stored.Description = p.Description
			for _, s := range p.Stages {
				stored.Stages = append(stored.Stages, s.Name)
			}
		}
		all = append(all, stored)
	}
	return all, err
}

// Read returns a pipeline as it is stored. Errors wrap [ErrNoSpec] or
// [ErrSpecName].
func (f PipelineFolder) Read(name string) ([]byte, error) {
	document, err := f.documents().read(name)
	return document, f.documents().wrap(name, err)
}

// Load reads a stored pipeline, and else is like [PipelineFolder.Find].
func (f PipelineFolder) Load(name string) (*Pipeline, error) {
	document, err := f.Read(name)
	if err != nil {
		return nil, err
	}
	p, err := f.parse(document)
	return p, f.documents().wrap(name, err)
}

// Find reads the pipeline that a person names, as [SpecFolder.Find] does a spec, and
// the stored specs that its stages name. Errors wrap [ErrNoSpec], or hold a
// *[taskspec.ValidationError] that names every problem of the pipeline, or of a
// stage.
func (f PipelineFolder) Find(nameOrPath string) (*Pipeline, error) {
	document, name, err := f.documents().find(nameOrPath)
	if err != nil {
		return nil, err
	}
	p, err := f.parse(document)
	return p, f.documents().wrap(name, err)
}

// Parse reads a pipeline in JSON from r, to its end; else it is like
// [PipelineFolder.Find].
func (f PipelineFolder) Parse(r io.Reader) (*Pipeline, error) {
	document, err := readDocument(r)
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
func (f PipelineFolder) Delete(name string) error { return f.documents().remove(name) }
