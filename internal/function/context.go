package function

import (
	"context"
	"log/slog"
)

// A Run is what a function finds in its context.
type Run struct {
	TID      string
	Log      *slog.Logger
	Progress func(done, total int64, note string)
}

type runKey struct{}

// WithRun is ctx with the run in it.
func WithRun(ctx context.Context, r *Run) context.Context { return context.WithValue(ctx, runKey{}, r) }

// RunOf returns the run that ctx belongs to, nil if it belongs to none.
func RunOf(ctx context.Context) *Run {
	r, _ := ctx.Value(runKey{}).(*Run)
	return r
}
