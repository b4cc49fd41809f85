//go:build !linux

package upkeep

import (
	"context"
	"errors"
	"path/filepath"

	"weft/internal/notify"
)

// hostChecks look at what the system offers to waiters. Tasks cannot run here.
var hostChecks = []check{
	{"wake-ups", func(_ context.Context, x *examination) ([]Finding, error) {
		means, err := notify.Inspect(filepath.Join(x.Dir, "bells"))
		if err != nil {
			return nil, err
		}
		return fine(means)
	}},
	{"limit memory_mb", noLimit},
	{"limit cpu_percent", noLimit},
	{"limit max_fds", noLimit},
	{"limit max_connections", noLimit},
}

func noLimit(context.Context, *examination) ([]Finding, error) { return note("none", "") }

func probeGroup() error { return errors.ErrUnsupported }
