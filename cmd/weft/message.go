package main

import (
	"context"
	"fmt"
	"io"
	"iter"

	"weft"
	"weft/broker"
)

// selector says which messages of a queue a command concerns, and how to print
// them.
type selector struct {
	All        bool   `help:"All messages."`
	Message    string `short:"m" placeholder:"ID" help:"Only this message."`
	After      string `aliases:"since" placeholder:"TIME" help:"Only messages after this id or time (also --since)."`
	Before     string `placeholder:"TIME" help:"Only messages before this id or time."`
	Limit      int    `short:"n" placeholder:"N" help:"At most so many (default: 1)."`
	Timestamps bool   `short:"t" help:"Print the id and a tab before each message."`
}

// times explains the values of --after and --before in a command's help.
const times = `A TIME is the id of a message, a date like 2026-11-21 or 2026-11-21T14:03 (UTC),
or a number since 1970 with s, ms or ns behind it.
`

// selection is what the options select: by default the oldest message.
func (s *selector) selection() (sel broker.Select, err error) {
	if s.Limit < 0 || s.All && s.Limit > 0 {
		return sel, usageError{"give --all, or --limit with a number from 1 on"}
	}
	sel.Limit = max(1, s.Limit)
	if s.All {
		sel.Limit = 0
	}
	if s.Message != "" {
		if sel.ID, err = broker.ParseID(s.Message); err != nil {
			return sel, err
		}
	}
	for _, bound := range []struct {
		text string
		id   *broker.ID
	}{{s.After, &sel.After}, {s.Before, &sel.Before}} {
		if bound.text == "" {
			continue
		}
		if *bound.id, err = weft.ParseMoment(bound.text); err != nil {
			return sel, err
		}
	}
	return sel, nil
}

// print prints messages as they come.
func (s *selector) print(a *app, queue string, messages iter.Seq2[broker.Message, error]) error {
	found := false
	for m, err := range messages {
		if err != nil {
			return err
		}
		found = true
		if err := a.printMessage(m, s.Timestamps); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("queue %q: %w", queue, broker.ErrEmpty)
	}
	return nil
}

func (a *app) printMessage(m broker.Message, withID bool) error {
	switch {
	case a.JSON:
		if err := a.printJSON(struct {
			Message string `json:"message"`
			ID      string `json:"timestamp"`
		}{m.Body, m.ID.String()}); err != nil {
			return err
		}
	case withID:
		a.stdout.Printf("%s\t%s\n", m.ID, m.Body)
	default:
		a.stdout.Printf("%s\n", m.Body)
	}
	return a.stdout.err
}

type queueReadCmd struct {
	Queue string `arg:"" help:"The queue."`
	selector
}

// Help shows how it is used.
func (queueReadCmd) Help() string {
	return `A message is printed after it has been taken, durably: nobody else gets it. Where
the output could be lost, peek first and delete later.

` + times + `
Examples:

    weft queue read jobs
    weft queue read jobs --all --json
    weft queue read jobs -n 10 -t
`
}

// Run takes messages.
func (c *queueReadCmd) Run(a *app) error {
	return c.show(a, c.Queue, (*broker.Queue).Take)
}

// show prints the selected messages of a queue, as fetch gets them.
func (s *selector) show(a *app, queue string, fetch func(*broker.Queue, context.Context, broker.Select) iter.Seq2[broker.Message, error]) error {
	sel, err := s.selection()
	if err != nil {
		return err
	}
	p, err := a.open()
	if err != nil {
		return err
	}
	survivePipe()
	return s.print(a, queue, fetch(p.Queue(queue), context.Background(), sel))
}

type queuePeekCmd struct {
	Queue string `arg:"" help:"The queue."`
	selector
}

// Help shows how it is used.
func (queuePeekCmd) Help() string {
	return times + `
Examples:

    weft queue peek jobs
    weft queue peek weft.log.tasks --all --after 2026-11-21
`
}

// Run prints messages.
func (c *queuePeekCmd) Run(a *app) error {
	return c.show(a, c.Queue, (*broker.Queue).Messages)
}

type queueMoveCmd struct {
	Source      string `arg:"" help:"The queue to take from."`
	Destination string `arg:"" help:"The queue to put into."`
	selector
}

// Help shows how it is used.
func (queueMoveCmd) Help() string {
	return `All messages are moved in one step, or none. They keep their ids.

` + times + `
Examples:

    weft queue move failed jobs
    weft queue move failed jobs --all
`
}

// Run moves messages.
func (c *queueMoveCmd) Run(a *app) error {
	sel, err := c.selection()
	if err != nil {
		return err
	}
	p, err := a.open()
	if err != nil {
		return err
	}
	survivePipe()
	moved, err := p.Queue(c.Source).MoveAll(context.Background(), c.Destination, sel)
	if err != nil {
		return err
	}
	return c.print(a, c.Source, func(yield func(broker.Message, error) bool) {
		for _, m := range moved {
			if !yield(m, nil) {
				return
			}
		}
	})
}

type queueWriteCmd struct {
	Queue      string  `arg:"" help:"The queue."`
	Message    *string `arg:"" optional:"" help:"The message; without one, or with -, standard input is the message, to the last byte."`
	Timestamps bool    `short:"t" help:"Print the id of the message."`
}

// Help shows how it is used.
func (queueWriteCmd) Help() string {
	return `Examples:

    weft queue write jobs 'first job'
    weft queue write jobs < job.json
    git diff | weft queue write patches -
`
}

// Run appends a message.
func (c *queueWriteCmd) Run(a *app) error {
	p, err := a.openOrCreate()
	if err != nil {
		return err
	}
	body, err := c.body(a, p.Broker().MaxMessage())
	if err != nil {
		return err
	}
	id, err := p.Queue(c.Queue).Write(context.Background(), body)
	switch {
	case err != nil:
		return err
	case a.JSON:
		return a.printJSON(map[string]string{"queue": c.Queue, "timestamp": id.String()})
	case c.Timestamps:
		a.stdout.Printf("%s\n", id)
	}
	return nil
}

// body is the message. Input is counted while it is read, so that an endless
// one does not fill the memory.
func (c *queueWriteCmd) body(a *app, limit int) (string, error) {
	if c.Message != nil && *c.Message != "-" {
		return *c.Message, nil
	}
	body, err := io.ReadAll(io.LimitReader(a.stdin, int64(limit)+1))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	if len(body) > limit {
		return "", fmt.Errorf("write to %q: %w: more than %d bytes", c.Queue, broker.ErrTooLarge, limit)
	}
	return string(body), nil
}
