package observe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"weft/broker"
)

// A Debugger steps through a queue, message by message, starting at the oldest one. It
// belongs to one goroutine and need not be closed.
//
// Errors wrap [broker.ErrEmpty] if there is no message, [broker.ErrName] or
// [broker.ErrView]. Cancelling ctx withdraws a step that has not started.
type Debugger struct {
	q     *broker.Queue
	after broker.ID // the last message that was passed
	shown broker.ID // the message that Peek has returned; 0 = none
}

// Debug returns a Debugger of the queue.
func Debug(q *broker.Queue) *Debugger { return &Debugger{q: q} }

// Peek returns the current message without taking it.
func (d *Debugger) Peek(ctx context.Context) (broker.Message, error) {
	for m, err := range d.q.Messages(ctx, broker.Select{After: d.after, Limit: 1}) {
		if err == nil {
			d.shown = m.ID
		}
		return m, err
	}
	d.shown = 0
	return broker.Message{}, fmt.Errorf("peek %q: %w", d.q.Name(), broker.ErrEmpty)
}

// Skip passes the message that Peek returned last, or else the current one, without taking
// it.
func (d *Debugger) Skip(ctx context.Context) error {
	if d.shown == 0 {
		if _, err := d.Peek(ctx); err != nil {
			return err
		}
	}
	d.after, d.shown = d.shown, 0
	return nil
}

// Next passes the message that was returned last, if there is one, and returns the next.
// Repeated calls show the whole queue.
func (d *Debugger) Next(ctx context.Context) (broker.Message, error) {
	if d.shown != 0 {
		if err := d.Skip(ctx); err != nil {
			return broker.Message{}, err
		}
	}
	return d.Peek(ctx)
}

// Take takes the message that Peek or Next returned last, or else the current one, and
// passes it. If another reader has taken it meanwhile, the error wraps [broker.ErrEmpty]
// and no other message is taken.
func (d *Debugger) Take(ctx context.Context) (broker.Message, error) {
	if d.shown == 0 {
		if _, err := d.Peek(ctx); err != nil {
			return broker.Message{}, err
		}
	}
	id := d.shown
	ms, err := d.q.ReadAll(ctx, broker.Select{ID: id})
	if err != nil {
		return broker.Message{}, err
	}
	d.after, d.shown = id, 0
	if len(ms) == 0 {
		return broker.Message{}, fmt.Errorf("take message %v of %q: %w", id, d.q.Name(), broker.ErrEmpty)
	}
	return ms[0], nil
}

// Rewind goes back to the oldest message.
func (d *Debugger) Rewind() { d.after, d.shown = 0, 0 }

// help is what the command help prints.
const help = `next    pass a message and show the one behind it (also: an empty line)
peek    show the message at which we are, all of it
skip    pass it
take    take it, for good
rewind  go back to the oldest
info    count the queue
quit    end
`

// previewBytes is how much of a message is shown, unless all of it is requested.
const previewBytes = 500

// Run reads commands from in, one a line, and prints their results to out, until in ends or
// the command is quit. A command may be shortened to its first letter; help lists them.
// Messages are printed in quotes, with control characters escaped. Errors of commands are
// printed too; Run returns only errors of in and out, or ctx's, which it checks between
// commands.
func (d *Debugger) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		command := strings.TrimSpace(lines.Text())
		if command == "quit" || command == "q" {
			return nil
		}
		answer, err := d.execute(ctx, command)
		switch {
		case errors.Is(err, broker.ErrEmpty):
			answer = "no message\n"
		case err != nil:
			answer = "error: " + err.Error() + "\n"
		}
		if _, err := io.WriteString(out, answer); err != nil {
			return fmt.Errorf("debug %q: %w", d.q.Name(), err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("debug %q: %w", d.q.Name(), err)
	}
	return nil
}

// execute executes a command.
func (d *Debugger) execute(ctx context.Context, command string) (answer string, err error) {
	var m broker.Message
	preview := previewBytes
	switch command {
	case "next", "n", "":
		m, err = d.Next(ctx)
	case "peek", "p":
		m, err = d.Peek(ctx)
		preview = len(m.Body)
	case "take", "t":
		m, err = d.Take(ctx)
		preview = len(m.Body) // it is stored nowhere else any more
	case "skip", "s":
		return "", d.Skip(ctx)
	case "rewind", "r":
		d.Rewind()
		return "", nil
	case "info", "i":
		st, err := d.q.Stats(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: %d pending\n", st.Queue, st.Pending), nil
	case "help", "h":
		return help, nil
	default:
		return fmt.Sprintf("unknown command %s\n%s", strconv.QuoteToGraphic(command), help), nil
	}
	if err != nil {
		return "", err
	}
	return show(m, preview), nil
}

// show returns the line that shows up to limit bytes of a message.
func show(m broker.Message, limit int) string {
	if len(m.Body) <= limit {
		return fmt.Sprintf("%v %s\n", m.ID, strconv.QuoteToGraphic(m.Body))
	}
	start := strings.ToValidUTF8(m.Body[:limit], "") // it may end within a character
	return fmt.Sprintf("%v %s… %d bytes\n", m.ID, strconv.QuoteToGraphic(start), len(m.Body))
}
