package main

import (
	"context"
	"fmt"

	"weft"
	"weft/broker"
)

type queueBroadcastCmd struct {
	Message *string `arg:"" optional:"" empty:"" complete:"-" help:"The message; without one, or with -, standard input is the message, to the last byte."`
	Pattern string  `short:"p" placeholder:"GLOB" help:"Only to queues whose name matches."`

	pattern broker.Pattern
}

func (c *queueBroadcastCmd) prepare(*app) (err error) {
	c.pattern, err = queuePattern(c.Pattern, "")
	return err
}

// Run writes to many queues.
func (c *queueBroadcastCmd) Run(a *app, p *weft.Project) error {
	body, err := a.body(p, c.Message)
	if err != nil {
		return err
	}
	reached, err := p.Broadcast(context.Background(), withoutReserved(c.pattern), body)
	switch {
	case err != nil:
		return err
	case len(reached) == 0 && c.Pattern != "":
		return noneOf{fmt.Sprintf("no queue matches %q", c.Pattern)}
	case len(reached) == 0:
		return noneOf{"no queue holds a message"}
	}
	return a.emit(object("queues", reached), "Wrote to %s\n", plural(len(reached), "queue"))
}
