package function

import (
	"context"
	"log/slog"
)

// A Run is what a function can use through its context.
type Run struct {
	TID      string
	Log      *slog.Logger
	Progress func(done, total int64, note string)
}

type runKey struct{}

// WithRun returns ctx with the run as a value.
func WithRun(ctx context.Context, r *Run) context.Context { return context.WithValue(ctx, runKey{}, r) }

// RunOf returns the run in ctx, nil if there is none.
func RunOf(ctx context.Context) *Run {
	r, _ := ctx.Value(runKey{}).(*Run)
	return r
}
