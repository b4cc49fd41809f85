package main

import (
	"errors"

	"weft"
	"weft/taskspec"
)

type validateCmd struct {
	File string `arg:"" complete:"file" help:"The spec, in JSON; - is standard input."`
}

// Help shows how it is used.
func (validateCmd) Help() string {
	return `All that is wrong is printed at once, a line for each problem; then the exit code
is 1. What is valid here can be run here: a limit may be too high for a machine
with fewer cores.

Examples:

    weft spec validate nightly.json
    weft validate-taskspec nightly.json
    weft spec generate | weft spec validate -
`
}

// Run says whether a spec can be run, or why not.
func (c *validateCmd) Run(a *app) error {
	document, err := a.document(c.File)
	if err != nil {
		return err
	}
	defer document.Close()
	spec, err := weft.ParseSpec(document)
	if invalid, ok := errors.AsType[*taskspec.ValidationError](err); ok {
		if err := errors.Join(a.printProblems(invalid.Problems), a.stdout.Flush()); err != nil {
			return err
		}
		return exitCode(exitError) // the answer, and not an error
	}
	switch {
	case err != nil:
		return err
	case a.JSON:
		return a.printJSON(struct {
			Valid bool          `json:"valid"`
			Name  string        `json:"name"`
			Type  taskspec.Kind `json:"type"`
		}{true, spec.Name, spec.Spec.Type})
	}
	a.stdout.Printf("OK: %s (%s)\n", visible(spec.Name), spec.Spec.Type)
	return nil
}

// printProblems prints what is wrong with a spec.
func (a *app) printProblems(problems []taskspec.Problem) error {
	survivePipe()
	if !a.JSON {
		for _, p := range problems {
			a.stdout.Printf("%s\n", visible(p.String()))
		}
		return a.stdout.err
	}
	type problem struct {
		Path    string `json:"path"`
		Problem string `json:"problem"`
	}
	answer := struct {
		Valid    bool      `json:"valid"`
		Problems []problem `json:"problems"`
	}{}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, problem{p.Path, p.Text})
	}
	return a.printJSON(answer)
}
