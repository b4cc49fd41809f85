package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"weft"
	"weft/broker"
)

type queueCmd struct {
	Read   queueReadCmd   `cmd:"" help:"Take messages and print them."`
	Peek   queuePeekCmd   `cmd:"" help:"Print messages and leave them."`
	Write  queueWriteCmd  `cmd:"" help:"Append a message."`
	Move   queueMoveCmd   `cmd:"" help:"Put messages into another queue and print them."`
	List   queueListCmd   `cmd:"" help:"List the queues."`
	Delete queueDeleteCmd `cmd:"" help:"Delete messages."`
	Exists queueExistsCmd `cmd:"" help:"Exit with 0 if the queue holds a message, else with 2."`
	Stats  queueStatsCmd  `cmd:"" help:"Count the messages of a queue."`
}

type queueListCmd struct {
	Stats   bool   `help:"Count the messages (which is done anyway)."`
	Pattern string `short:"p" placeholder:"GLOB" help:"Only queues whose name matches."`
	Prefix  string `placeholder:"TEXT" help:"Only queues whose name begins with this."`
}

// Help shows how it is used.
func (queueListCmd) Help() string {
	return `A queue is there while it holds a message.

Examples:

    weft queue list
    weft queue list --pattern 'mail.*'
    weft queue list --prefix weft. --json
`
}

// Run lists queues.
func (c *queueListCmd) Run(a *app) error {
	if _, err := path.Match(c.Pattern, ""); err != nil {
		return usageError{fmt.Sprintf("--pattern %s: %v", c.Pattern, err)}
	}
	p, err := a.open()
	if err != nil {
		return err
	}
	survivePipe()
	ctx := context.Background()
	for name, err := range p.Broker().Queues(ctx) {
		if err != nil {
			return err
		}
		if fits, _ := path.Match(c.Pattern, name); !fits && c.Pattern != "" || !strings.HasPrefix(name, c.Prefix) {
			continue
		}
		st, err := p.Queue(name).Stats(ctx)
		if err != nil {
			return err
		}
		if st.Pending == 0 {
			continue // emptied since it was listed
		}
		if err := a.printStats(st); err != nil {
			return err
		}
	}
	return nil
}

// printStats prints how many messages a queue holds.
func (a *app) printStats(st broker.Stats) error {
	if !a.JSON {
		a.stdout.Printf("%s: %d\n", st.Queue, st.Pending)
		return a.stdout.err
	}
	return errors.Join(a.stdout.err, a.printJSON(struct {
		Queue   string `json:"queue"`
		Pending int    `json:"pending"`
		Oldest  string `json:"oldest"`
		Newest  string `json:"newest"`
	}{st.Queue, st.Pending, st.Oldest.String(), st.Newest.String()}))
}

type queueStatsCmd struct {
	Queue string `arg:"" help:"The queue."`
}

// Help shows how it is used.
func (queueStatsCmd) Help() string {
	return `Examples:

    weft queue stats jobs
    weft queue stats jobs --json
`
}

// Run counts.
func (c *queueStatsCmd) Run(a *app) error {
	st, err := c.stats(a)
	if err != nil {
		return err
	}
	return a.printStats(st)
}

// stats counts the messages of a queue, which must hold one.
func (c *queueStatsCmd) stats(a *app) (broker.Stats, error) {
	p, err := a.open()
	if err != nil {
		return broker.Stats{}, err
	}
	st, err := p.Queue(c.Queue).Stats(context.Background())
	if err == nil && st.Pending == 0 {
		err = fmt.Errorf("queue %q: %w", c.Queue, broker.ErrEmpty)
	}
	return st, err
}

type queueExistsCmd struct{ queueStatsCmd }

// Help shows how it is used.
func (queueExistsCmd) Help() string {
	return `Examples:

    weft queue exists jobs && weft queue read jobs
`
}

// Run looks.
func (c *queueExistsCmd) Run(a *app) error {
	_, err := c.stats(a)
	if errors.Is(err, broker.ErrEmpty) {
		return exitCode(exitNotFound) // the answer, and not an error
	}
	return err
}

type queueDeleteCmd struct {
	Queue   string `arg:"" optional:"" help:"The queue."`
	Message string `short:"m" placeholder:"ID" help:"Only this message."`
	All     bool   `help:"All queues, but those of weft and of tasks."`
}

// Help shows how it is used.
func (queueDeleteCmd) Help() string {
	return `Examples:

    weft queue delete jobs
    weft queue delete jobs -m 1837012345678901248
    weft queue delete --all
`
}

// Run deletes.
func (c *queueDeleteCmd) Run(a *app) error {
	if c.All == (c.Queue != "") || c.All && c.Message != "" {
		return usageError{"give a queue, perhaps with --message, or --all"}
	}
	var sel broker.Select
	if c.Message != "" {
		var err error
		if sel.ID, err = broker.ParseID(c.Message); err != nil {
			return err
		}
	}
	p, err := a.open()
	if err != nil {
		return err
	}
	n, err := c.delete(p, sel)
	switch {
	case err != nil:
		return err
	case a.JSON:
		return a.printJSON(map[string]int{"deleted": n})
	}
	a.stdout.Printf("Deleted %s\n", plural(n, "message"))
	return nil
}

// delete deletes and counts the messages.
func (c *queueDeleteCmd) delete(p *weft.Context, sel broker.Select) (deleted int, err error) {
	ctx := context.Background()
	if !c.All {
		deleted, err = p.Queue(c.Queue).Delete(ctx, sel)
		if err == nil && deleted == 0 {
			err = fmt.Errorf("queue %q: %w", c.Queue, broker.ErrEmpty)
		}
		return deleted, err
	}
	for name, err := range p.Broker().Queues(ctx) {
		if err != nil {
			return deleted, err
		}
		if weft.Reserved(name) {
			continue
		}
		n, err := p.Queue(name).Delete(ctx, broker.Select{})
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
