package weft

import (
	"context"
	"fmt"

	"weft/internal/function"
)

// registered are the functions of this program. They are a fact about the
// process, as initialized is: any project may call them.
var registered function.Registry

// A FunctionOption says more about a function that is registered.
type FunctionOption func(*functionOptions)

type functionOptions struct{ description string }

// WithDescription describes what the function does, for its callers.
func WithDescription(text string) FunctionOption {
	return func(o *functionOptions) { o.description = text }
}

// Register makes fn a function that tasks can call by this name: see [Function].
// Call it before [Init], at the beginning of main or in the declaration of a
// variable; it panics if it is called later, and if the name is bad or taken. A
// name begins with a letter or "_" and goes on with letters, digits and any of
// "_.:/-", all ASCII, at most 200 of them.
//
// A call has one argument, or named ones, or both: one argument is decoded into
// In as encoding/json would; named ones are its fields by their JSON names, and
// lie over an argument that is an object. Names that In does not have are
// refused, and so is a call that lacks a field, unless that has the option
// omitempty or omitzero. A tag `jsonschema:"…"` describes a field for the help of
// the command line. Without arguments use struct{}.
//
// Each call runs in a process of its own, with the environment and limits of its
// task, and the process ends with the call. The value must encode to JSON: it is
// the task's output. An error or a panic fails the task; what the function prints
// is the task's standard error. ctx ends when the task is stopped, is out of time
// or breaks a limit, and [context.Cause] says which; a function that goes on
// after that is killed when the task's grace period is over. See [TID], [Logger] and [Progress] for
// what else is in it.
func Register[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error), opts ...FunctionOption) {
	register(name, opts, func(o functionOptions) *function.Function {
		return function.New(name, o.description, fn)
	})
}

// RegisterArgs is [Register] for a function that takes any arguments: what JSON
// decodes to, numbers as [encoding/json.Number], so that no digit is lost. Both
// args and kwargs may be empty and are not nil.
func RegisterArgs(name string, fn func(ctx context.Context, args []any, kwargs map[string]any) (any, error), opts ...FunctionOption) {
	register(name, opts, func(o functionOptions) *function.Function {
		return function.NewPlain(name, o.description, fn)
	})
}

func register(name string, opts []FunctionOption, with func(functionOptions) *function.Function) {
	if initialized.Load() {
		panic(fmt.Sprintf("weft: function %s is registered after weft.Init: a process that runs it would not get there", name))
	}
	var o functionOptions
	for _, opt := range opts {
		opt(&o)
	}
	if err := registered.Add(with(o)); err != nil {
		panic(fmt.Sprintf("weft: register function: %v", err))
	}
}
