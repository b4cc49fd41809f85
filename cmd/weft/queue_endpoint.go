package main

import (
	"context"

	"weft"
)

type queueResolveCmd struct {
	Name string `arg:"" complete:"endpoint" help:"The name that a running task has claimed."`
}

// Run prints the queue.
func (c *queueResolveCmd) Run(a *app, p *weft.Project) error {
	e, err := p.Endpoints().Resolve(context.Background(), c.Name)
	if err != nil {
		return err
	}
	return a.emit(e, "%s\n", visible(e.Queue))
}

type queueClaimCmd struct {
	Name  string `arg:"" complete:"-" help:"The name."`
	Queue string `arg:"" optional:"" complete:"queue" help:"The queue (default: the inbox of the task)."`
}

// Run claims the name for the task that it runs in.
func (c *queueClaimCmd) Run(a *app, p *weft.Project) error {
	ctx := context.Background()
	if err := p.Endpoints().Claim(ctx, c.Name, c.Queue); err != nil {
		return err
	}
	e, err := p.Endpoints().Resolve(ctx, c.Name)
	if err != nil {
		return err
	}
	return a.printEndpoint(e)
}

// printEndpoints prints the named endpoints, at most limit unless that is 0.
func (a *app) printEndpoints(p *weft.Project, limit int) error {
	all, err := p.Endpoints().List(context.Background())
	if err != nil {
		return err
	}
	more := 0
	if limit > 0 {
		more = max(0, len(all)-limit)
	}
	for _, e := range all[:len(all)-more] {
		if err := a.printEndpoint(e); err != nil {
			return err
		}
	}
	a.printMore(more)
	return nil
}

func (a *app) printEndpoint(e weft.Endpoint) error {
	return a.emit(e, "%s: %s\n", visible(e.Name), visible(e.Queue))
}
