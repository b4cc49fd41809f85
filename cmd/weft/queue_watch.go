package main

import (
	"errors"
	"fmt"
	"time"

	"weft"
	"weft/broker"
)

type queueWatchCmd struct {
	Queue      string `arg:"" complete:"queue" help:"The queue, or @ and an alias."`
	Limit      *int   `short:"n" placeholder:"N" help:"End after so many messages."`
	Peek       bool   `xor:"mode" help:"Leave the messages."`
	Move       string `xor:"mode" placeholder:"QUEUE" complete:"queue" help:"Put the messages into this queue."`
	After      string `aliases:"since" placeholder:"TIME" help:"Only messages after this id or time (also --since)."`
	Timestamps bool   `short:"t" help:"Print the id and a tab before each message."`
	rawOption
	Quiet    bool     `short:"q" help:"Do not say what is watched."`
	Interval duration `placeholder:"TIME" help:"Look at least this often (default: messages are signalled; look after 1s to 5s)."`
}

// Help shows how it is used.
func (queueWatchCmd) Help() string {
	return `Each message is printed after it has been taken or moved, durably. With --peek
they stay, and each is printed once. Ctrl-C ends it.

` + times + `
Examples:

    weft queue watch jobs
    weft queue watch weft.log.tasks --peek --json
    weft queue watch jobs --move jobs.mine -n 1
`
}

// Run prints messages until it is asked to end, or the reader closes them.
func (c *queueWatchCmd) Run(a *app) error {
	o := broker.WatchOptions{Peek: c.Peek, Look: time.Duration(c.Interval)}
	if c.Limit != nil {
		if o.Limit = *c.Limit; o.Limit < 1 {
			return usageError{"--limit: give a number from 1 on"}
		}
	}
	if c.After != "" {
		var err error
		if o.After, err = weft.ParseMoment(c.After); err != nil {
			return err
		}
	}
	if !c.Peek {
		if err := a.canDeliver(); err != nil {
			return err
		}
	}
	signals := interruptible()
	p, err := a.open()
	if err != nil {
		return err
	}
	q, err := resolve(p, c.Queue)
	if err != nil {
		return err
	}
	mode := "consume"
	switch {
	case c.Peek:
		mode = "peek"
	case c.Move != "":
		dst, err := resolve(p, c.Move)
		if err != nil {
			return err
		}
		o.MoveTo = dst.Name()
		mode = "move to " + o.MoveTo
	}
	if !c.Quiet {
		fmt.Fprintf(a.stderr, "Watching queue '%s' (%s mode)...\n", q.Name(), mode)
	}
	for m, err := range q.Watch(signals.first, o) {
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
