package main

import (
	"context"
	"fmt"
	"weft"

	"weft/broker"
)

type queueAliasCmd struct {
	Add    queueAliasAddCmd    `cmd:"" help:"Give a queue a second name."`
	Remove queueAliasRemoveCmd `cmd:"" help:"Remove a second name."`
	List   queueAliasListCmd   `cmd:"" help:"List the second names."`
}

type queueAliasAddCmd struct {
	Alias string `arg:"" complete:"-" help:"The second name. It is used with an @ before it."`
	Queue string `arg:"" complete:"queue" help:"The queue."`
	Quiet bool   `short:"q" help:"Print nothing."`
}

// Run adds an alias.
func (c *queueAliasAddCmd) Run(a *app, p *weft.Project) error {
	if err := p.Broker().Aliases().Add(context.Background(), c.Alias, c.Queue); err != nil {
		return err
	}
	if c.Quiet {
		return nil
	}
	return a.printAlias(broker.Alias{Name: c.Alias, Queue: c.Queue})
}

// printAlias prints an alias and what it stands for.
func (a *app) printAlias(alias broker.Alias) error {
	return a.emit(object("alias", alias.Name, "target", alias.Queue),
		"%s -> %s\n", visible(alias.Name), visible(alias.Queue))
}

type queueAliasRemoveCmd struct {
	Alias string `arg:"" complete:"alias" help:"The second name."`
}

// Run removes an alias.
func (c *queueAliasRemoveCmd) Run(a *app, p *weft.Project) error {
	if err := p.Broker().Aliases().Remove(context.Background(), c.Alias); err != nil {
		return err
	}
	return a.emit(object("removed", c.Alias), "Removed %s\n", c.Alias)
}

type queueAliasListCmd struct {
	Target string `short:"t" placeholder:"QUEUE" complete:"queue" help:"Only those of this queue; exit with 2 if there is none."`
}

// Run lists the aliases.
func (c *queueAliasListCmd) Run(a *app, p *weft.Project) error {
	all, err := p.Broker().Aliases().List(context.Background(), c.Target)
	if err != nil {
		return err
	}
	if len(all) == 0 && c.Target != "" {
		return noneOf{fmt.Sprintf("no alias of queue %q", c.Target)}
	}
	for _, alias := range all {
		if err := a.printAlias(alias); err != nil {
			return err
		}
	}
	return nil
}
