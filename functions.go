package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
)

// A FunctionCatalog knows the functions that programs have registered in a
// project, whether or not these programs run. It may be shared.
type FunctionCatalog struct{ project *Project }

// Functions gives access to the functions of a project.
func (p *Project) Functions() FunctionCatalog { return FunctionCatalog{p} }

// A FunctionInfo is a function that can be called in a project.
type FunctionInfo struct {
	Name        string
	Description string
	// Input and Output are the JSON Schemas of its one argument, or of all named
	// ones together, and of its value; nil for a function that takes and returns
	// anything.
	Input   json.RawMessage
	Output  json.RawMessage
	Program string    // the path of the program that runs it
	Build   string    // which build of it
	Noted   time.Time // when the project learned of it

	about function.Description
}

func newFunctionInfo(f *ledger.Function) *FunctionInfo {
	return &FunctionInfo{
		Name:        f.Name,
		Description: f.Description.Description,
		Input:       f.Input,
		Output:      f.Output,
		Program:     f.Host.Path,
		Build:       f.Host.Build,
		Noted:       unixTime(f.Host.Noted),
		about:       f.Description,
	}
}

// Help says how the function is called from a shell: some lines of text.
func (f *FunctionInfo) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: weft run --function %s", f.Name)
	if example := f.about.Example(); example != "" {
		b.WriteString(" " + example)
	}
	b.WriteString("\n")
	if f.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", f.Description)
	}
	named, one := f.about.Arguments()
	switch {
	case one != "":
		fmt.Fprintf(&b, "\nTakes %s.\n", one)
	case len(named) > 0:
		b.WriteString("\nArguments:\n")
	default:
		b.WriteString("\nTakes no arguments.\n")
	}
	nameWidth, typeWidth := 0, 0
	for _, a := range named {
		nameWidth, typeWidth = max(nameWidth, len(a.Name)), max(typeWidth, len(a.Type))
	}
	for _, a := range named {
		text := a.Description
		if !a.Required {
			text = strings.TrimSpace("(optional) " + text)
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %-*s  %s", nameWidth, a.Name, typeWidth, a.Type, text), " ") + "\n")
	}
	fmt.Fprintf(&b, "\nReturns %s.\n", f.about.Value())
	return b.String()
}

// List returns all functions, sorted by their names. Programs that have changed
// are asked anew, which takes as long as they take to start.
func (f FunctionCatalog) List(ctx context.Context) ([]*FunctionInfo, error) {
	if err := refreshPrograms(ctx, f.project); err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	var all []*FunctionInfo
	err := f.project.broker.View(ctx, func(r broker.Reader) error {
		found, err := ledger.Functions(r)
		for _, one := range found {
			all = append(all, newFunctionInfo(one))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	return all, nil
}

// Find returns the function with this name. The error wraps [ErrNoFunction] if
// there is none, and then says which may have been meant.
func (f FunctionCatalog) Find(ctx context.Context, name string) (*FunctionInfo, error) {
	found, err := findFunction(ctx, f.project, name)
	if err != nil {
		return nil, fmt.Errorf("find function: %w", err)
	}
	return newFunctionInfo(found), nil
}

// Add executes the program at path, to ask it for its functions, and records
// them; a program that opens the project itself need not be added. It returns
// their names. The error wraps [ErrNoHost] if the program has none. Cancelling
// ctx kills the program.
func (f FunctionCatalog) Add(ctx context.Context, path string) (names []string, err error) {
	if path, err = programPath(path); err == nil {
		var found []function.Description
		if found, err = describeProgram(ctx, f.project, path); err == nil && len(found) == 0 {
			err = fmt.Errorf("%s: %w: it registers none before weft.Init", path, ErrNoHost)
		}
		for _, one := range found {
			names = append(names, one.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("add functions: %w", err)
	}
	return names, nil
}

// Remove deletes the record of the program at path and its functions, until it opens the
// project the next time. Its file need not be there any more. The error wraps
// [ErrNoHost] if the project does not know it.
func (f FunctionCatalog) Remove(ctx context.Context, path string) error {
	absolute, err := programPath(path)
	if err == nil {
		err = f.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.RemoveProgram(tx, absolute) })
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("%w in this project: %s", ErrNoHost, path)
	}
	if err != nil {
		return fmt.Errorf("remove functions: %w", err)
	}
	return nil
}

// programPath is the path of a program as it sees it itself.
func programPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	return path, nil // it is gone
}
