package main

import (
	"fmt"
	"strings"

	"weft"
	"weft/taskspec"
)

// call is the task that calls a function.
func (r *runCmd) call() (*taskspec.Spec, error) {
	switch {
	case r.Function == nil:
		return nil, usageError{"--arg and --kw go with --function NAME"}
	case r.Spec != nil:
		return nil, usageError{"--function does not go with --spec"}
	case len(r.Command) > 0:
		return nil, usageError{"--function does not go with a command: give arguments with --arg and --kw"}
	}
	spec := weft.Function(*r.Function)
	for _, text := range r.Arg {
		spec.Spec.Args = append(spec.Spec.Args, weft.ParseArgument(text))
	}
	for _, entry := range r.KW {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Sprintf("--kw %s: want NAME=VALUE", entry)}
		}
		if spec.Spec.KeywordArgs == nil {
			spec.Spec.KeywordArgs = make(map[string]any)
		}
		spec.Spec.KeywordArgs[name] = weft.ParseArgument(value)
	}
	return spec, nil
}
