package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"weft"
	"weft/internal/literal"
	"weft/taskspec"
)

// call is the task that calls a function.
func (r *runCmd) call() (*taskspec.Spec, error) {
	switch {
	case r.Function == nil:
		return nil, usageError{"--arg, --kw and --inline go with --function NAME"}
	case r.Spec != nil:
		return nil, usageError{"--function does not go with --spec"}
	case len(r.Command) > 0:
		return nil, usageError{"--function does not go with a command: give arguments with --arg and --kw"}
	}
	spec := weft.Function(*r.Function)
	if r.Inline {
		spec.Isolation = taskspec.IsolationInline
	}
	for _, text := range r.Arg {
		spec.Args = append(spec.Args, literal.Value(text))
	}
	for _, entry := range r.KW {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Sprintf("--kw %s: want NAME=VALUE", entry)}
		}
		if _, again := spec.KeywordArgs[name]; again {
			return nil, usageError{fmt.Sprintf("--kw %s: its name is given twice: leave one out", entry)}
		}
		if spec.KeywordArgs == nil {
			spec.KeywordArgs = make(map[string]any)
		}
		spec.KeywordArgs[name] = literal.Value(value)
	}
	return spec, nil
}

type functionCmd struct {
	List   functionListCmd   `cmd:"" help:"List the functions that can be called."`
	Show   functionShowCmd   `cmd:"" help:"Show all that is known of a function."`
	Help   functionHelpCmd   `cmd:"" help:"Say how a function is called."`
	Add    functionAddCmd    `cmd:"" help:"Make the functions of a program known."`
	Remove functionRemoveCmd `cmd:"" help:"Forget a program and its functions."`
}

type functionListCmd struct{}

// Run lists functions.
func (functionListCmd) Run(a *app, p *weft.Project) error {
	all, err := p.Functions().List(interruptible().first)
	if err != nil {
		return err
	}
	return emitAll(a, all, functionObject, nil, func(f *weft.FunctionInfo) []string {
		return []string{f.Name, f.Description}
	}, noColumn)
}

// functionObject is a function in JSON; an input or output of null is anything.
func functionObject(f *weft.FunctionInfo) any {
	return object("name", f.Name, "description", f.Description, "program", taskspec.RawString(f.Program), "build", f.Build,
		"noted_at", f.Noted, "input", f.Input, "output", f.Output)
}

// functionArg is the function that a command is about.
type functionArg struct {
	Name string `arg:"" complete:"function" help:"The name."`
}

// ProvideFunction finds it, for Run.
func (c functionArg) ProvideFunction(a *app) (*weft.FunctionInfo, error) {
	p, err := a.project()
	if err != nil {
		return nil, err
	}
	return p.Functions().Find(interruptible().first, c.Name)
}

type functionShowCmd struct{ functionArg }

// Run shows a function.
func (c *functionShowCmd) Run(a *app, f *weft.FunctionInfo) error {
	if a.JSON {
		return a.printJSON(functionObject(f))
	}
	a.stdout.Printf("Name:     %s\n", visible(f.Name))
	if f.Description != "" {
		a.stdout.Printf("About:    %s\n", visible(f.Description))
	}
	a.stdout.Printf("Program:  %s\nBuild:    %s\n", visible(f.Program), visible(f.Build))
	for _, schema := range []struct {
		name string
		text json.RawMessage
	}{{"Input", f.Input}, {"Output", f.Output}} {
		text := "anything"
		if schema.text != nil && string(schema.text) != "true" {
			var b bytes.Buffer
			if err := json.Indent(&b, schema.text, "", "  "); err != nil {
				return err
			}
			text = spelled(b.Bytes(), escapeJSON)
		}
		a.stdout.Printf("%-9s %s\n", schema.name+":", text)
	}
	return nil
}

type functionHelpCmd struct{ functionArg }

// Run says how a function is called.
func (c *functionHelpCmd) Run(a *app, f *weft.FunctionInfo) error {
	var text strings.Builder
	for line := range strings.Lines(f.Help()) {
		text.WriteString(visible(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return a.emit(object("help", f.Help(), "name", f.Name), "%s", text.String())
}

type functionAddCmd struct {
	Path string `arg:"" complete:"file" help:"The program, which calls weft.Init."`
}

// Run makes the functions of a program known.
func (c *functionAddCmd) Run(a *app) error {
	p, err := a.openOrCreate(func() error {
		_, err := os.Stat(c.Path)
		return err
	}, nil)
	if err != nil {
		return err
	}
	names, err := p.Functions().Add(interruptible().first, c.Path)
	if err != nil {
		return err
	}
	return a.emit(object("functions", names, "program", taskspec.RawString(c.Path)), "%s\n", strings.Join(names, "\n"))
}

type functionRemoveCmd struct {
	Path string `arg:"" complete:"file" help:"The program; its file may be gone."`
}

// Run removes the record of a program.
func (c *functionRemoveCmd) Run(a *app, p *weft.Project) error {
	if err := p.Functions().Remove(context.Background(), c.Path); err != nil {
		return err
	}
	return a.printDone("Removed", c.Path)
}
