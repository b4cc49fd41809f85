package function

import (
	"context"
	"log/slog"
)

// A Run is what a function can use through its context.
type Run struct {
	TID      string
	Root     string // of the task's project; empty in a process of the task's own, whose environment has it
	Log      *slog.Logger
	Progress func(done, total int64, note string)
	// Waits is called when the function begins to wait for other tasks, and what it returns
	// when the wait is over; nil if that matters to nobody.
	Waits func() (over func())
}

type runKey struct{}

// WithRun returns ctx with the run as a value.
func WithRun(ctx context.Context, r *Run) context.Context { return context.WithValue(ctx, runKey{}, r) }

// RunOf returns the run in ctx, nil if there is none.
func RunOf(ctx context.Context) *Run {
	r, _ := ctx.Value(runKey{}).(*Run)
	return r
}

// Waits says that whoever has ctx waits for a task, until over is called: a function that
// waits needs no slot.
func Waits(ctx context.Context) (over func()) {
	if r := RunOf(ctx); r != nil && r.Waits != nil {
		return r.Waits()
	}
	return func() {}
}
