package weft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"weft/manager"
)

// ErrManagerRunning is returned by [Context.Serve] where the project has a
// manager.
var ErrManagerRunning = manager.ErrRunning

// ServeOptions say how a manager serves. The zero value is the default.
type ServeOptions struct {
	// Lifetime is how long the manager stays without work; 0 means for ever.
	Lifetime time.Duration
	// Replace lets the manager that the project has leave first, instead of
	// returning [ErrManagerRunning]. Its running tasks go on.
	Replace bool
	// Log gets what the manager does; nil discards it.
	Log *slog.Logger
	// Ready is called when the manager works, perhaps more than once.
	Ready func()
	// Stop, when it is closed, stops the running tasks and then the manager.
	// Ending the context instead lets them go on.
	Stop <-chan struct{}
}

// Serve is the project's manager, in this process, until ctx ends, which lets
// running tasks go on without it, or until it is stopped ([ServeOptions.Stop],
// [Manager.Stop]), which ends them and returns nil. It returns
// [ErrManagerRunning] if there is a manager already.
//
// Queued tasks wait for the next manager.
func (c *Context) Serve(ctx context.Context, o ServeOptions) error {
	return serve(ctx, c, o, true)
}

// serve is Serve for a process that goes on afterwards, if it is hosted, or one
// that only is a manager.
func serve(ctx context.Context, c *Context, o ServeOptions, hosted bool) error {
	path, err := executable()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	m := manager.New(manager.Options{
		Root:       c.root,
		Dir:        c.dir,
		Broker:     c.broker,
		Durability: c.settings.Durability,
		MaxMessage: c.settings.MaxMessage,
		Executable: path,
		Build:      build(),
		Hosted:     hosted,
		Env:        os.Environ(),
		MaxTasks:   c.settings.MaxTasks,
		Lifetime:   o.Lifetime,
		Ready:      o.Ready,
		Log:        o.Log,
	})
	if o.Stop != nil {
		over := make(chan struct{})
		var stopper sync.WaitGroup
		defer stopper.Wait()
		defer close(over)
		stopper.Go(func() {
			select {
			case <-o.Stop:
				m.Stop()
			case <-over:
			}
		})
	}
	err = m.Run(ctx)
	for o.Replace && errors.Is(err, ErrManagerRunning) {
		// Somebody who waits for a task may start another one in between.
		if _, err = c.Manager().Replace(ctx); err == nil {
			err = m.Run(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
