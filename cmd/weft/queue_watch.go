package main

import (
	"errors"
	"fmt"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/literal"
)

type queueWatchCmd struct {
	queueArg
	Limit      *int   `short:"n" placeholder:"N" help:"End after so many messages."`
	Peek       bool   `xor:"mode" help:"Leave the messages."`
	Move       string `xor:"mode" placeholder:"QUEUE" complete:"queue" help:"Put the messages into this queue."`
	After      string `aliases:"since" placeholder:"TIME" help:"Only messages after this id or time (also --since)."`
	Timestamps bool   `short:"t" help:"Print the id and a tab before each message."`
	rawOption
	Quiet    bool     `short:"q" help:"Do not say what is watched."`
	Interval duration `placeholder:"TIME" help:"Look at least this often (default: messages are signalled; look after 1s to 5s)."`

	options broker.WatchOptions
}

func (c *queueWatchCmd) prepare(a *app) (err error) {
	o := &c.options
	o.Peek, o.PollInterval = c.Peek, time.Duration(c.Interval)
	if c.Limit != nil {
		if o.Limit = *c.Limit; o.Limit < 1 {
			return usageError{"--limit: give a number from 1 on"}
		}
	}
	if c.After != "" {
		if o.After, err = literal.Time(c.After); err != nil {
			return err
		}
	}
	if c.Peek {
		return nil
	}
	return a.canDeliver()
}

// Run prints messages until it is asked to end, or the reader closes them.
func (c *queueWatchCmd) Run(a *app, p *weft.Project, q *broker.Queue) error {
	signals := interruptible()
	mode := "consume"
	switch {
	case c.Peek:
		mode = "peek"
	case c.Move != "":
		dst, err := resolve(p, c.Move)
		if err != nil {
			return err
		}
		c.options.MoveTo = dst.Name()
		mode = "move to " + dst.Name()
	}
	if !c.Quiet {
		fmt.Fprintf(a.stderr, "Watching queue '%s' (%s mode)...\n", q.Name(), mode)
	}
	for m, err := range q.Watch(signals.first, c.options) {
		if errors.Is(err, errInterrupted) {
			return nil
		}
		if err != nil {
			return err
		}
		line, err := a.line(m, c.Timestamps)
		if err != nil {
			return err
		}
		if _, err := a.shown(c.Raw).Write(line); a.stdout.closed() {
			return exitCode(0)
		} else if err != nil {
			return err
		}
	}
	return nil
}
