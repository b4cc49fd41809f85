package weft

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/taskspec"
)

// registerProgram records the program and its functions in the project, if it has any
// and they are not recorded just so.
func registerProgram(b *broker.Broker) error {
	if !initialized.Load() || len(registered.Names()) == 0 {
		return nil
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("record functions: %w", err)
	}
	self, err := selfPath()
	if err != nil {
		return fmt.Errorf("record functions: %w", err)
	}
	stamp, err := function.StampOf(self)
	if err != nil {
		return fmt.Errorf("record functions: %w", err)
	}
	functions := registered.Describe()
	h, err := ledger.NewProgram(path, stamp, build(), functions)
	if err != nil {
		return err
	}
	ctx := context.Background()
	known, err := broker.View(ctx, b, func(r broker.Reader) (bool, error) { return h.Known(r) })
	if err == nil && !known {
		err = b.Update(ctx, func(tx *broker.Tx) error { return ledger.PutProgram(tx, h, time.Now()) })
	}
	if errors.Is(err, broker.ErrFull) || errors.Is(err, broker.ErrUnwritable) || errors.Is(err, broker.ErrBusy) {
		return nil // a project must open even if this fails; the next program tries again
	}
	if err != nil {
		return fmt.Errorf("record functions: %w", err)
	}
	return nil
}

// checkCall makes sure that the function of a spec is there and, if the work item
// is known, takes what it is called with, before anything is queued.
func checkCall(ctx context.Context, p *Project, spec *taskspec.Spec, item string, known bool) error {
	if spec.Type != taskspec.KindFunction {
		return nil
	}
	name := spec.FunctionTarget
	check := func(f interface{ Check(taskspec.Call) error }) error {
		if !known || spec.IO.Inputs["inbox"] != "" || spec.Persistent && item == noInput {
			return nil
		}
		call, err := spec.Call(item)
		if err != nil {
			return err
		}
		return f.Check(call)
	}
	if f := registered.Get(name); f != nil {
		if !initialized.Load() && !p.leaves.Load() {
			return fmt.Errorf("function %s of this program: %w", name, ErrNoInit)
		}
		return check(f)
	}
	f, err := findFunction(ctx, p, name)
	if err != nil {
		return err
	}
	return check(f)
}

// Check returns what [Project.SubmitContext] would refuse about a spec in a project
// that has nothing in it yet: so a call that is refused need not make one.
func Check(spec *taskspec.Spec) error {
	err := spec.ValidateFor(templateRules())
	if err == nil {
		err = canRun()
	}
	if name := spec.FunctionTarget; err == nil && spec.Type == taskspec.KindFunction && registered.Get(name) == nil {
		err = fmt.Errorf("%w: %s", ErrNoFunction, name)
	}
	if err != nil {
		return fmt.Errorf("submit task: %w", err)
	}
	return nil
}

// findFunction finds a function that a program has registered in the project.
// Programs that have changed since are asked anew.
func findFunction(ctx context.Context, p *Project, name string) (*ledger.Function, error) {
	f, err := knownFunction(ctx, p, name)
	switch {
	case errors.Is(err, broker.ErrNotFound):
	case err != nil:
		return nil, err
	case !programChanged(f.Programs[0]):
		return f, nil
	}
	if err := refreshPrograms(ctx, p); err != nil {
		return nil, err
	}
	if f, err = knownFunction(ctx, p, name); !errors.Is(err, broker.ErrNotFound) {
		return f, err
	}
	return nil, unknownFunction(ctx, p, name)
}

func knownFunction(ctx context.Context, p *Project, name string) (*ledger.Function, error) {
	return broker.View(ctx, p.broker, func(r broker.Reader) (*ledger.Function, error) { return ledger.FindFunction(r, name) })
}

// unknownFunction is the error for a name that no program has registered, and says
// which may have been meant.
func unknownFunction(ctx context.Context, p *Project, name string) error {
	all, err := broker.View(ctx, p.broker, func(r broker.Reader) ([]*ledger.Function, error) { return ledger.Functions(r) })
	if err != nil {
		return err
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
	}
	if near := function.Near(name, names); len(near) > 0 {
		return fmt.Errorf("%w: %s; did you mean %s?", ErrNoFunction, name, strings.Join(near, " or "))
	}
	return fmt.Errorf("%w: %s: no program that registers it has opened this project yet", ErrNoFunction, name)
}

// programChanged reports whether the program's file is another than the one that was
// asked. One that is gone cannot be asked.
func programChanged(h *ledger.Program) bool {
	stamp, err := function.StampOf(h.Path)
	return err == nil && stamp != h.Stamp
}

// refreshPrograms asks all programs that have changed for their functions, unless
// nobody knows who named them.
func refreshPrograms(ctx context.Context, p *Project) error {
	if held, _, err := p.trust.Quarantine(ctx); err != nil || held != 0 {
		return err
	}
	all, err := broker.View(ctx, p.broker, func(r broker.Reader) ([]*ledger.Program, error) { return ledger.Programs(r) })
	if err != nil {
		return err
	}
	for _, h := range all {
		if !programChanged(h) {
			continue
		}
		_, err := describeProgram(ctx, p, h.Path)
		if err != nil && !errors.Is(err, function.ErrNothingRegistered) {
			return err
		}
	}
	return nil
}

// describeProgram asks the program at path for its functions and records them. One that
// has none any more is forgotten.
func describeProgram(ctx context.Context, p *Project, path string) ([]function.Description, error) {
	stamp, err := function.StampOf(path)
	if err != nil {
		return nil, err
	}
	l, asked := function.ReadDescription(ctx, path, p.Environ())
	if asked != nil && !errors.Is(asked, function.ErrNothingRegistered) {
		return nil, asked
	}
	h, err := ledger.NewProgram(path, stamp, l.Build, l.Functions)
	if err != nil {
		return nil, err
	}
	err = p.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.PutProgram(tx, h, time.Now()) })
	return l.Functions, errors.Join(asked, err)
}
