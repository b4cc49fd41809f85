package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"weft"
	"weft/taskspec"
)

type specCmd struct {
	Create   specCreateCmd   `cmd:"" help:"Store a spec under a name."`
	List     specListCmd     `cmd:"" help:"List the stored specs."`
	Show     specShowCmd     `cmd:"" help:"Print a stored spec."`
	Delete   specDeleteCmd   `cmd:"" help:"Delete a stored spec."`
	Validate validateCmd     `cmd:"" help:"Check a spec."`
	Generate specGenerateCmd `cmd:"" help:"Print a spec to begin with."`
	Schema   specSchemaCmd   `cmd:"" help:"Print the JSON Schema of specs, for editors."`
}

type specCreateCmd struct {
	Name  string `arg:"" complete:"spec" help:"The name: letters, digits, '_', '.' and '-'."`
	File  string `short:"f" required:"" placeholder:"FILE" complete:"file" help:"The spec, in JSON; - is standard input."`
	Force bool   `help:"Replace a spec of that name."`
}

// Help shows how it is used.
func (specCreateCmd) Help() string {
	return `The spec is checked before it is stored, and all that is wrong is said at once.
It is kept in .weft/tasks.

Examples:

    weft spec create nightly -f nightly.json
    weft spec generate | weft spec create hello -f -
    weft run --spec nightly
`
}

// Run stores a spec.
func (c *specCreateCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	document, err := a.document(c.File)
	if err != nil {
		return err
	}
	defer document.Close()
	store := weft.SpecFolder.Create
	if c.Force {
		store = weft.SpecFolder.Replace
	}
	if err := store(weft.Specs(p), c.Name, document); err != nil {
		return err
	}
	return a.printDone("Stored", c.Name)
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
	if a.JSON {
		return a.printJSON(map[string]string{strings.ToLower(what): name})
	}
	a.stdout.Printf("%s %s\n", what, name)
	return nil
}

type specListCmd struct{}

// Help shows how it is used.
func (specListCmd) Help() string {
	return `Examples:

    weft spec list
    weft spec list --json
`
}

// Run lists the stored specs. About one that cannot be run it complains, and
// goes on.
func (specListCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	survivePipe()
	specs, err := weft.Specs(p).List()
	if err != nil {
		return err
	}
	for _, s := range specs {
		if err := a.printSpec(s); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printSpec(s weft.StoredSpec) error {
	if a.JSON {
		line := struct {
			Name        string        `json:"name"`
			Description string        `json:"description"`
			Type        taskspec.Kind `json:"type"`
			Error       string        `json:"error,omitempty"`
		}{Name: s.Name, Description: s.Description, Type: s.Type}
		if s.Err != nil {
			line.Error = s.Err.Error()
		}
		return a.printJSON(line)
	}
	if s.Err != nil {
		a.note("%v", s.Err)
	}
	a.stdout.Printf("%s\n", s.Name)
	return a.stdout.err
}

type specShowCmd struct {
	Name string `arg:"" complete:"spec" help:"The name."`
}

// Help shows how it is used.
func (specShowCmd) Help() string {
	return `The spec is printed as it was stored, with or without --json.

Examples:

    weft spec show nightly > nightly.json
`
}

// Run prints a spec.
func (c *specShowCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	document, err := weft.Specs(p).Read(c.Name)
	if err != nil {
		return err
	}
	survivePipe()
	if !bytes.HasSuffix(document, []byte("\n")) {
		document = append(document, '\n')
	}
	_, err = a.stdout.Write(document)
	return err
}

type specDeleteCmd struct {
	Name string `arg:"" complete:"spec" help:"The name."`
}

// Help shows how it is used.
func (specDeleteCmd) Help() string {
	return `Tasks that were made from it are not concerned.

Examples:

    weft spec delete nightly
`
}

// Run deletes a spec.
func (c *specDeleteCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	if err := weft.Specs(p).Delete(c.Name); err != nil {
		return err
	}
	return a.printDone("Deleted", c.Name)
}

type specGenerateCmd struct {
	Type string `enum:"task,pipeline" default:"task" help:"Of a task, or of a pipeline."`
}

// Help shows how it is used.
func (specGenerateCmd) Help() string {
	return `It is a small spec that is valid, to be changed with an editor. What else there
is to say in a spec is in weft spec schema.

Examples:

    weft spec generate > hello.json
    weft run --spec hello.json
`
}

// Run prints a spec.
func (c *specGenerateCmd) Run(a *app) error {
	if c.Type != "task" {
		return fmt.Errorf("generate a %s: %w yet", c.Type, errors.ErrUnsupported)
	}
	spec := weft.Command("echo", "hello")
	spec.Name = "hello"
	spec.Description = "Says hello."
	spec.Spec.Timeout = new(60.0)
	document, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	return a.printDocument(document)
}

type specSchemaCmd struct {
	Manifest bool `help:"Print that of the manifests of services, in .weft/autostart."`
}

// Help shows how it is used.
func (specSchemaCmd) Help() string {
	return `Editors complete and check specs with it: in VS Code, name the file in the
setting json.schemas. It has no upper bound for spec.limits.cpu_percent, which
depends on the machine.

Examples:

    weft spec schema > taskspec.schema.json
    weft spec schema --manifest > manifest.schema.json
`
}

// Run prints the schema of templates.
func (c *specSchemaCmd) Run(a *app) error {
	if c.Manifest {
		return a.printDocument(taskspec.ManifestSchema())
	}
	return a.printDocument(taskspec.Schema(taskspec.Rules{Template: true}))
}

// printDocument prints indented JSON, with --json on one line.
func (a *app) printDocument(document []byte) error {
	survivePipe()
	if a.JSON {
		return a.printJSON(json.RawMessage(document))
	}
	a.stdout.Printf("%s\n", bytes.TrimSpace(document))
	return a.stdout.err
}
