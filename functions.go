package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/taskspec"
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
	program := f.Programs[0]
	return &FunctionInfo{
		Name:        f.Name,
		Description: f.Description.Description,
		Input:       f.Input,
		Output:      f.Output,
		Program:     program.Path,
		Build:       program.Build,
		Noted:       unixTime(program.Noted),
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
	found, err := broker.View(ctx, f.project.broker, func(r broker.Reader) ([]*ledger.Function, error) { return ledger.Functions(r) })
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	for _, one := range found {
		all = append(all, newFunctionInfo(one))
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
// their names. The error wraps [ErrNothingRegistered] if the program has none. Cancelling
// ctx kills the program.
func (f FunctionCatalog) Add(ctx context.Context, path string) (names []string, err error) {
	if path, err = programPath(path); err == nil {
		var found []function.Description
		if found, err = describeProgram(ctx, f.project, path); err == nil && len(found) == 0 {
			err = fmt.Errorf("%s: %w: it registers none before weft.Init", path, ErrNothingRegistered)
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
// [ErrNothingRegistered] if the project does not know it.
func (f FunctionCatalog) Remove(ctx context.Context, path string) error {
	absolute, err := programPath(path)
	if err == nil {
		err = f.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.RemoveProgram(tx, absolute) })
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("%w in this project: %s", ErrNothingRegistered, path)
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

// registered are the functions of this program. They are a fact about the
// process, as initialized is: any project may call them.
var registered function.Registry

// FunctionOptions say more about a function that is registered. The zero value is the
// default.
type FunctionOptions struct {
	// Description says what the function does, for its callers.
	Description string
}

// Register makes fn a function that tasks can call by this name: see [Function].
// Call it before [Init], at the beginning of main or in the declaration of a
// variable; it panics if it is called later, if the name is bad or taken, and if fn is nil. A
// name begins with a letter or "_" and goes on with letters, digits and any of
// "_.:/-", all ASCII, at most 200 of them.
//
// A call has one argument, or named ones, or both: one argument is decoded into
// In as encoding/json would; named ones are its fields by their JSON names, and
// lie over an argument that is an object. Who submits a call with names that In does not
// have, or without one of its fields, gets an error, unless the field has the option
// omitempty or omitzero; when a call that another build of the program has submitted is
// executed, such names are ignored and such fields are zero. A tag `jsonschema:"…"` describes a field for the help of
// the command line. Without arguments use struct{}.
//
// A program that serves ([Project.Serve]) executes its own functions. Otherwise the newest
// program that has registered the name does, of those whose files are there; opening a
// project registers a program's functions there, unless [Options].NoFunctions is set.
//
// Each call runs in a process of its own, with the environment and limits of its
// task, and the process ends with the call. The value must encode to JSON: it is
// the task's output. An error or a panic fails the task; what the function prints
// is the task's standard error. ctx ends when the task is stopped, is out of time
// or breaks a limit, and [context.Cause] says which; a function that goes on
// after that is killed when the task's grace period is over. See [TID], [Logger] and [Progress] for
// what else is in it.
func Register[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error), opts ...FunctionOptions) {
	register(name, fn == nil, func() *function.Function {
		return function.New(name, last(opts).Description, fn)
	})
}

// RegisterArgs is [Register] for a function that takes any arguments: what JSON
// decodes to, numbers as [encoding/json.Number], so that no digit is lost. Both
// args and kwargs may be empty and are not nil.
func RegisterArgs(name string, fn func(ctx context.Context, args []any, kwargs map[string]any) (any, error), opts ...FunctionOptions) {
	register(name, fn == nil, func() *function.Function {
		return function.NewPlain(name, last(opts).Description, fn)
	})
}

func register(name string, none bool, describe func() *function.Function) {
	if none {
		panic(fmt.Sprintf("weft: function %s is nil", name))
	}
	if initialized.Load() {
		panic(fmt.Sprintf("weft: function %s is registered after weft.Init: a process that runs it would not get there", name))
	}
	if err := registered.Add(describe()); err != nil {
		panic(fmt.Sprintf("weft: register function: %v", err))
	}
}

// Function returns the spec of a task that calls a function, by the name under
// which a program has registered it (see [Register]), with at most one argument
// for most functions. An argument may be any value that encodes to JSON. Named
// arguments go into KeywordArgs. The spec may be changed before it is
// submitted.
func Function(name string, args ...any) *taskspec.Spec {
	return &taskspec.Spec{
		Name: taskName(name),
		Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: name, Args: args},
	}
}

// TID returns the id of the task that a function runs in, by the context that it got;
// empty for any other context.
func TID(ctx context.Context) string {
	if r := function.RunOf(ctx); r != nil {
		return r.TID
	}
	return ""
}

// Logger returns what a function logs to: the standard error of its task. For any
// other context it is [slog.Default].
func Logger(ctx context.Context) *slog.Logger {
	if r := function.RunOf(ctx); r != nil {
		return r.Log
	}
	return slog.Default()
}

// Progress reports to readers of the task's status how far the function is: done of
// total, of which 0 means unknown, and a note of a few words, both as it likes.
// It may be called as often as is convenient: at most five reports a second are
// passed on, and the last one always. For any other context it does nothing.
func Progress(ctx context.Context, done, total int64, note string) {
	if r := function.RunOf(ctx); r != nil {
		r.Progress(done, total, note)
	}
}
