// Package function holds the functions that a program registers: Go functions with a name,
// the JSON Schemas of what they take and return, and the call itself.
//
// registry.go keeps them by name, function.go calls one, argument.go turns the arguments of
// a call into the value that a function takes and says what is wrong with them, context.go is what a function can use through its context, near.go
// finds similar names, stamp.go identifies the state of a program's file.
package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"weft/internal/jsonobject"
	"weft/internal/schema"
	"weft/taskspec"
)

// A Function is a registered function. Use [New] or [NewPlain] to make one.
type Function struct {
	name        string
	description string
	input       func() *schema.Schema // nil: it takes any arguments
	output      func() *schema.Schema // nil: it returns any value
	bare        func() error          // what Check says of a call without arguments
	call        func(ctx context.Context, c taskspec.Call) (any, error)
}

// New returns the function fn, which takes one value that is decoded from the arguments of
// a call. [CheckName] must accept the name.
func New[In, Out any](name, description string, fn func(context.Context, In) (Out, error)) *Function {
	f := &Function{
		name:        name,
		description: description,
		// most programs that register functions never need the schemas
		input:  sync.OnceValue(func() *schema.Schema { return schema.Of(reflect.TypeFor[In]()) }),
		output: sync.OnceValue(func() *schema.Schema { return schema.Of(reflect.TypeFor[Out]()) }),
	}
	f.bare = sync.OnceValue(func() error { return f.check(taskspec.Call{}) })
	f.call = func(ctx context.Context, c taskspec.Call) (any, error) {
		value, err := document(name, f.input(), c)
		if err != nil {
			return nil, err
		}
		var in In
		if err := decode(name, value, &in); err != nil {
			return nil, err
		}
		return fn(ctx, in)
	}
	return f
}

// NewPlain returns the function fn, which takes its arguments as decoded from JSON, numbers
// as [json.Number].
func NewPlain(name, description string, fn func(ctx context.Context, args []any, kwargs map[string]any) (any, error)) *Function {
	return &Function{name: name, description: description, call: func(ctx context.Context, c taskspec.Call) (any, error) {
		args := make([]any, len(c.Args))
		for i, arg := range c.Args {
			if err := decode(name, arg, &args[i]); err != nil {
				return nil, err
			}
		}
		kwargs := make(map[string]any, len(c.Kwargs))
		for key, arg := range c.Kwargs {
			var v any
			if err := decode(name, arg, &v); err != nil {
				return nil, err
			}
			kwargs[key] = v
		}
		return fn(ctx, args, kwargs)
	}}
}

// Name returns the name under which the function is registered.
func (f *Function) Name() string { return f.name }

// Call calls the function and returns its value as JSON. It decodes the arguments as
// encoding/json does, fields that it does not know ignored and those that are missing zero,
// because another build of the program may have submitted the call: [Function.Check] is for
// who submits it. An *[ArgumentError] means that the function was not called. Call does not
// recover a panic of the function.
func (f *Function) Call(ctx context.Context, c taskspec.Call) (json.RawMessage, error) {
	v, err := f.call(ctx, c)
	if err != nil {
		return nil, err
	}
	return encode(v)
}

// Check returns an *[ArgumentError] if the arguments of a call are not valid.
func (f *Function) Check(c taskspec.Call) error {
	if f.bare != nil && len(c.Args)+len(c.Kwargs) == 0 {
		return f.bare() // computed once
	}
	return f.check(c)
}

func (f *Function) check(c taskspec.Call) error {
	if f.input == nil {
		return nil
	}
	_, err := argument(f.name, f.input(), c)
	return err
}

// Describe describes the function for other programs.
func (f *Function) Describe() Description {
	d := Description{Name: f.name, Description: f.description}
	if f.input != nil {
		d.Input, _ = json.Marshal(f.input()) // nothing in a schema can fail to be written
		d.Output, _ = json.Marshal(f.output())
	}
	return d
}

// A Description describes a function to other programs. The schemas are nil if it takes and
// returns any values.
type Description struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`  // JSON Schema of the value it takes
	Output      json.RawMessage `json:"output,omitempty"` // of the value it returns
}

// Check is [Function.Check] by the description alone.
func (d Description) Check(c taskspec.Call) error {
	if d.Input == nil {
		return nil
	}
	input := new(schema.Schema)
	if err := json.Unmarshal(d.Input, input); err != nil {
		return fmt.Errorf("read input schema of function %s: %w", d.Name, err)
	}
	_, err := argument(d.Name, input, c)
	return err
}

// errValue means that a function returned a value that is no JSON.
var errValue = errors.New("function returned a value that cannot be written as JSON")

// encode returns the value as JSON, without the escapes for HTML.
func encode(v any) (json.RawMessage, error) {
	value, err := jsonobject.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errValue, err)
	}
	return value, nil
}
