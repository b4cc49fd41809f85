package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"weft"
	"weft/taskspec"
)

type specCmd struct {
	Create   specCreateCmd   `cmd:"" help:"Store a spec, or a pipeline, under a name."`
	List     specListCmd     `cmd:"" help:"List what is stored."`
	Show     specShowCmd     `cmd:"" help:"Print a stored spec or pipeline."`
	Delete   specDeleteCmd   `cmd:"" help:"Delete a stored spec or pipeline."`
	Validate validateCmd     `cmd:"" help:"Check a spec or a pipeline."`
	Generate specGenerateCmd `cmd:"" help:"Print a spec, or a pipeline, to begin with."`
	Schema   specSchemaCmd   `cmd:"" help:"Print the JSON Schema of specs, or of pipelines, for editors."`
}

type specCreateCmd struct {
	Name  string `arg:"" complete:"spec" help:"The name: letters, digits, '_', '.' and '-'."`
	File  string `short:"f" required:"" placeholder:"FILE" complete:"file" help:"The spec or pipeline, in JSON; - is standard input."`
	Force bool   `help:"Replace what is stored under that name."`
	specType
}

// specType says what a document is, or which are meant.
type specType struct {
	Type string `enum:",task,pipeline" default:"" placeholder:"TYPE" help:"A task or a pipeline (default: what it looks like, or both)."`
}

// isPipeline reports whether a document is to be a pipeline.
func (t specType) isPipeline(document []byte) bool {
	return t.Type == pipelineType || t.Type == "" && isPipeline(document)
}

// Run stores a spec.
func (c *specCreateCmd) Run(a *app, p *weft.Project) error {
	document, err := a.read(c.File)
	if err != nil {
		return err
	}
	var folder specFolder = p.Specs()
	if c.isPipeline(document) {
		folder = p.Pipelines()
	}
	store := folder.Create
	if c.Force {
		store = folder.Replace
	}
	if err := store(c.Name, bytes.NewReader(document)); err != nil {
		return err
	}
	return a.printDone("Stored", c.Name)
}

// A specFolder holds specs, or pipelines.
type specFolder interface {
	Create(name string, document io.Reader) error
	Replace(name string, document io.Reader) error
	Read(name string) ([]byte, error)
	Delete(name string) error
}

// stored says which of the two things that may be stored under a name is meant.
type stored struct {
	Name string `arg:"" complete:"spec,pipeline" help:"The name."`
	Type string `enum:",task,pipeline" default:"" placeholder:"TYPE" help:"A task or a pipeline (default: the one there is, a task if there are both)."`
}

// folders are those to look in.
func (s stored) folders(p *weft.Project) []specFolder {
	switch s.Type {
	case "task":
		return []specFolder{p.Specs()}
	case "pipeline":
		return []specFolder{p.Pipelines()}
	}
	return []specFolder{p.Specs(), p.Pipelines()}
}

// try calls do with one folder after the other until it finds what it looks for. If
// none has it, the error is that of the first.
func (s stored) try(p *weft.Project, do func(specFolder) error) (err error) {
	for _, folder := range s.folders(p) {
		found := do(folder)
		if !errors.Is(found, weft.ErrNoSpec) {
			return found
		}
		err = cmp.Or(err, found)
	}
	return err
}

// read reads a document, but no more of one that is too long than shows that.
func (a *app) read(file string) ([]byte, error) {
	r, err := a.document(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, taskspec.MaxDocument+1))
}

// document opens a file of which - means standard input.
func (a *app) document(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.stdin), nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noneOf{fmt.Sprintf("no such file: %s", file)}
	}
	return f, err
}

// printDone says what was done to a spec.
func (a *app) printDone(what, name string) error {
	return a.emit(object(strings.ToLower(what), taskspec.RawString(name)), "%s %s\n", what, visible(name))
}

type specListCmd struct{ specType }

// Run lists what is stored.
func (c specListCmd) Run(a *app, p *weft.Project) error {
	if c.Type != pipelineType {
		specs, err := p.Specs().List()
		if err != nil {
			return err
		}
		for _, s := range specs {
			if err := a.printSpec(s.Name, s.Description, string(s.Type), nil, s.Err); err != nil {
				return err
			}
		}
	}
	if c.Type == "task" {
		return nil
	}
	pipelines, err := p.Pipelines().List()
	for _, s := range pipelines {
		if err := a.printSpec(s.Name, s.Description, pipelineType, s.Stages, s.Err); err != nil {
			return err
		}
	}
	return err
}

// pipelineType is the type of a pipeline in a list; others are command and function.
const pipelineType = "pipeline"

// printSpec prints what is stored under a name, and complains if it cannot be run.
func (a *app) printSpec(name, description, kind string, stages []string, problem error) error {
	o := object("name", name, "description", description, "type", kind).AddUnlessZero("stages", stages)
	if problem != nil {
		o.Add("error", problem.Error())
	}
	if problem != nil && !a.JSON {
		a.note("%v", problem)
	}
	if kind == pipelineType {
		name += " (pipeline)"
	}
	return a.emit(o, "%s\n", name)
}

type specShowCmd struct{ stored }

// Run prints a spec.
func (c *specShowCmd) Run(a *app, p *weft.Project) error {
	var document []byte
	err := c.try(p, func(folder specFolder) (err error) {
		document, err = folder.Read(c.Name)
		return err
	})
	if err != nil {
		return err
	}
	if !bytes.HasSuffix(document, []byte("\n")) {
		document = append(document, '\n')
	}
	_, err = a.shown(false).Write(document)
	return err
}

type specDeleteCmd struct{ stored }

// Run deletes a spec.
func (c *specDeleteCmd) Run(a *app, p *weft.Project) error {
	if err := c.try(p, func(folder specFolder) error { return folder.Delete(c.Name) }); err != nil {
		return err
	}
	return a.printDone("Deleted", c.Name)
}

type specGenerateCmd struct {
	Type string `enum:"task,pipeline" default:"task" help:"Of a task, or of a pipeline."`
}

// Run prints a spec.
func (c *specGenerateCmd) Run(a *app) error {
	if c.Type == pipelineType {
		p := taskspec.Pipeline{
			Name:        "greet",
			Description: "Says hello, and then what it was given.",
			Stages: []taskspec.PipelineStage{
				{Name: "say", Task: "hello", Defaults: taskspec.Defaults{Args: []any{"world"}}},
				{Name: "say-again", Task: "hello"},
			},
		}
		return a.printExample(p)
	}
	spec := weft.Command("echo", "hello")
	spec.Name = "hello"
	spec.Description = "Says hello."
	spec.Timeout = time.Minute
	return a.printExample(spec)
}

func (a *app) printExample(v any) error {
	document, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return a.printDocument(document)
}

type specSchemaCmd struct {
	Type string `enum:"task,pipeline,manifest" default:"task" help:"Of tasks, of pipelines, or of the manifests of services."`
}

// Run prints the schema of templates.
func (c specSchemaCmd) Run(a *app) error {
	switch c.Type {
	case pipelineType:
		return a.printDocument(taskspec.PipelineSchema())
	case "manifest":
		return a.printDocument(taskspec.ManifestSchema())
	}
	return a.printDocument(taskspec.Schema(taskspec.Rules{Template: true}))
}

// printDocument prints indented JSON, with --json on one line.
func (a *app) printDocument(document []byte) error {
	if a.JSON {
		return a.printJSON(json.RawMessage(document))
	}
	a.stdout.Printf("%s\n", bytes.TrimSpace(document))
	return a.stdout.err
}

// isPipeline reports whether a document in JSON is meant to be a pipeline, and not a
// spec: it is an object with stages.
func isPipeline(document []byte) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(document, &fields) == nil && fields["stages"] != nil
}
