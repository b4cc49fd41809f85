package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"weft"
	"weft/broker"
	"weft/internal/jsonobject"
	"weft/internal/literal"
)

// selector says which messages of a queue a command concerns, and how to print
// them.
type selector struct {
	All        bool   `xor:"which" help:"All messages."`
	Message    string `short:"m" placeholder:"ID" xor:"which" help:"Only this message."`
	After      string `aliases:"since" placeholder:"TIME" help:"Only messages after this id or time (also --since)."`
	Before     string `placeholder:"TIME" help:"Only messages before this id or time."`
	Limit      *int   `short:"n" placeholder:"N" help:"At most so many (default: 1)."`
	Timestamps bool   `short:"t" help:"Print the id and a tab before each message."`
	rawOption

	selected broker.Select
}

// prepare finds what the options select: by default the oldest message.
func (s *selector) prepare(*app) (err error) {
	sel := &s.selected
	switch {
	case s.Limit == nil && !s.All:
		sel.Limit = 1
	case s.Limit == nil:
	case s.All || *s.Limit < 1:
		return usageError{"give --all, or --limit with a number from 1 on"}
	default:
		sel.Limit = *s.Limit
	}
	if sel.ID, err = messageID(s.Message); err != nil {
		return err
	}
	for _, bound := range []struct {
		text string
		id   *broker.ID
	}{{s.After, &sel.After}, {s.Before, &sel.Before}} {
		if bound.text == "" {
			continue
		}
		if *bound.id, err = literal.Time(bound.text); err != nil {
			return err
		}
	}
	return nil
}

// messageID reads the value of --message, 0 where there is none.
func messageID(text string) (broker.ID, error) {
	if text == "" {
		return 0, nil
	}
	id, err := broker.ParseID(strings.TrimPrefix(text, "T"))
	if err == nil && len(id.String()) != 19 {
		err = fmt.Errorf("%w %q: want 19 digits", broker.ErrID, text)
	}
	return id, err
}

// line is a message as it is printed.
func (a *app) line(m broker.Message, withID bool) ([]byte, error) {
	switch {
	case a.JSON:
		line, err := jsonobject.Encode(object("message", m.Body, "timestamp", m.ID.String()))
		return append(line, '\n'), err
	case withID:
		return []byte(m.ID.String() + "\t" + m.Body + "\n"), nil
	default:
		return []byte(m.Body + "\n"), nil
	}
}

type queueReadCmd struct {
	queueArg
	selector
}

func (c *queueReadCmd) prepare(a *app) error {
	return cmp.Or(a.canDeliver(), c.selector.prepare(a))
}

// Run takes messages.
func (c *queueReadCmd) Run(a *app, q *broker.Queue) error {
	// Written one by one: if the reader is gone, no further one is taken.
	return c.show(a, q, q.ReadEach(context.Background(), c.selected), a.shown(c.Raw))
}

// show writes messages of a queue to out.
func (s *selector) show(a *app, q *broker.Queue, messages iter.Seq2[broker.Message, error], out io.Writer) error {
	found := false
	for m, err := range messages {
		if err != nil {
			return err
		}
		found = true
		line, err := a.line(m, s.Timestamps)
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if !found {
		return none(q)
	}
	return nil
}

type queuePeekCmd struct {
	queueArg
	selector
}

// Run prints messages.
func (c *queuePeekCmd) Run(a *app, q *broker.Queue) error {
	out := a.shown(c.Raw)
	if !a.stdout.terminal {
		out = later{a.stdout} // nothing depends on when it is written
	}
	return c.show(a, q, q.Messages(context.Background(), c.selected), out)
}

type queueWriteCmd struct {
	Queue      *string `arg:"" optional:"" complete:"queue" help:"The queue, or @ and an alias."`
	Message    *string `arg:"" optional:"" empty:"" complete:"-" help:"The message; without one, or with -, standard input is the message, to the last byte."`
	Endpoint   string  `placeholder:"NAME" complete:"endpoint" help:"Write to the queue of this named endpoint, instead of a queue."`
	Timestamps bool    `short:"t" help:"Print the id of the message."`
}

// Run appends a message.
func (c *queueWriteCmd) Run(a *app) error {
	message := c.Message
	switch {
	case c.Endpoint != "" && message != nil:
		return usageError{"give a queue or --endpoint, not both"}
	case c.Endpoint != "":
		message = c.Queue
	case c.Queue == nil:
		return usageError{"give a queue, or --endpoint"}
	}
	p, err := a.openOrCreate(func() error { return c.check(message) }, nil)
	if err != nil {
		return err
	}
	body, err := a.body(p, message)
	if err != nil {
		return err
	}
	queue, id, err := c.write(p, body)
	switch {
	case err != nil:
		return err
	case !c.Timestamps && !a.JSON:
		return nil
	}
	return a.emit(object("queue", queue, "timestamp", id.String()), "%s\n", id)
}

// check says why a message would be refused in a project that has nothing in it yet,
// as far as that can be told before it is read.
func (c *queueWriteCmd) check(message *string) error {
	if c.Endpoint != "" {
		return fmt.Errorf("write to endpoint %q: %w", c.Endpoint, weft.ErrNoEndpoint)
	}
	if alias, marked := strings.CutPrefix(*c.Queue, broker.AliasMark); marked {
		return fmt.Errorf("alias %q: %w", alias, broker.ErrNotFound)
	}
	if err := broker.CheckName(*c.Queue); err != nil || message == nil {
		return err
	}
	return broker.CheckBody(*message, broker.MaxMessageBytes)
}

// write writes and returns where.
func (c *queueWriteCmd) write(p *weft.Project, body string) (queue string, id broker.ID, err error) {
	ctx := context.Background()
	if c.Endpoint != "" {
		return p.Endpoints().Write(ctx, c.Endpoint, body)
	}
	q, err := resolve(p, *c.Queue)
	if err != nil {
		return "", 0, err
	}
	id, err = q.Write(ctx, body)
	return q.Name(), id, err
}

// body is the message that the user gives: an argument, or standard input
// where there is none or where it is -.
func (a *app) body(p *weft.Project, argument *string) (string, error) {
	if argument != nil && *argument != "-" {
		return *argument, nil
	}
	if argument == nil && isTerminal(a.stdin) {
		return "", usageError{"give a message, or - and type it, to the end of input (Ctrl-D)"}
	}
	return p.Broker().ReadBody(a.stdin)
}
