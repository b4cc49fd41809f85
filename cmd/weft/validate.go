package main

import (
	"bytes"
	"errors"
	"runtime"

	"weft"
	"weft/taskspec"
)

type validateCmd struct {
	File string `arg:"" complete:"file" help:"The spec or pipeline, in JSON; - is standard input."`
	specType
}

// Run says whether a spec can be run, or why not.
func (c *validateCmd) Run(a *app) error {
	document, err := a.read(c.File)
	if err != nil {
		return err
	}
	name, kind, err := a.check(document, c.isPipeline(document))
	if invalid, ok := errors.AsType[*taskspec.ValidationError](err); ok {
		if err := a.printProblems(invalid.Problems); err != nil {
			return err
		}
		return exitCode(exitError) // the answer, and not an error
	}
	if err != nil {
		return err
	}
	return a.emit(object("valid", true, "name", name, "type", kind), "OK: %s (%s)\n", visible(name), kind)
}

// check says of a spec, or of a pipeline, what it is, or what is wrong with it.
func (a *app) check(document []byte, isPipeline bool) (name, kind string, err error) {
	if !isPipeline {
		spec, err := parseSpec(document)
		if err != nil {
			return "", "", err
		}
		return spec.Name, string(spec.Type), nil
	}
	var folder weft.PipelineFolder
	switch p, err := a.open(nil); {
	case err == nil:
		folder = p.Pipelines()
	case !errors.Is(err, weft.ErrNoProject):
		return "", "", err
	}
	pipeline, err := folder.Parse(bytes.NewReader(document))
	if err != nil {
		return "", "", err
	}
	return pipeline.Name, pipelineType, nil
}

// parseSpec reads a template, or the spec of a task that was spawned.
func parseSpec(document []byte) (*taskspec.Spec, error) {
	if spec, err := taskspec.Decode(document); err == nil && spec.TID != "" {
		return spec, spec.ValidateFor(taskspec.Rules{Cores: runtime.NumCPU(), Supported: true})
	}
	return weft.ParseSpec(bytes.NewReader(document))
}

// printProblems prints what is wrong with a spec.
func (a *app) printProblems(problems []taskspec.Problem) error {
	if !a.JSON {
		for _, p := range problems {
			a.stdout.Printf("%s\n", visible(p.String()))
		}
		return a.stdout.err
	}
	var objects []any
	for _, p := range problems {
		objects = append(objects, object("path", p.Path, "problem", p.Text))
	}
	return a.printJSON(object("valid", false, "problems", objects))
}
