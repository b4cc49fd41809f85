package weft

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"unicode/utf8"

	"weft/internal/function"
	"weft/taskspec"
)

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

// ParseArgument is the value that the text of an argument stands for: what it is
// in JSON, or, if it is no JSON, the text.
func ParseArgument(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	// The decoder would replace what is not UTF-8.
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) || d.Decode(&v) != nil {
		return text
	}
	return v
}

// TID is the id of the task that a function runs in, by the context that it got;
// empty for any other context.
func TID(ctx context.Context) string {
	if r := function.RunOf(ctx); r != nil {
		return r.TID
	}
	return ""
}

// Logger is where a function logs to: the standard error of its task. For any
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
