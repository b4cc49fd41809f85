package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weft"
	"weft/broker"
)

type queueCmd struct {
	Read      queueReadCmd      `cmd:"" help:"Take messages and print them."`
	Peek      queuePeekCmd      `cmd:"" help:"Print messages and leave them."`
	Write     queueWriteCmd     `cmd:"" help:"Append a message."`
	Move      queueMoveCmd      `cmd:"" help:"Put messages into another queue and print them."`
	Watch     queueWatchCmd     `cmd:"" help:"Print messages as they come."`
	List      queueListCmd      `cmd:"" help:"List the queues, or the named endpoints."`
	Exists    queueExistsCmd    `cmd:"" help:"Exit with 0 if the queue holds a message, else with 2."`
	Stats     queueStatsCmd     `cmd:"" help:"Count the messages of a queue."`
	Delete    queueDeleteCmd    `cmd:"" help:"Delete messages."`
	Rename    queueRenameCmd    `cmd:"" help:"Give a queue another name."`
	Broadcast queueBroadcastCmd `cmd:"" help:"Append a message to many queues at once."`
	Alias     queueAliasCmd     `cmd:"" help:"Give queues second names."`
	Resolve   queueResolveCmd   `cmd:"" help:"Print the queue of a named endpoint."`
	Claim     queueClaimCmd     `cmd:"" help:"Inside a task: give a queue a name while the task runs."`
}

// queueArg is the queue that a command is about.
type queueArg struct {
	Queue string `arg:"" complete:"queue" help:"The queue, or @ and an alias."`
}

// ProvideQueue finds it, for Run.
func (c queueArg) ProvideQueue(a *app) (*broker.Queue, error) {
	p, err := a.project()
	if err != nil {
		return nil, err
	}
	return resolve(p, c.Queue)
}

// resolve finds a queue that the user has named, by its own name or by an alias with
// an @ before it.
func resolve(p *weft.Project, name string) (*broker.Queue, error) {
	name, err := p.Broker().Aliases().Resolve(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return p.Queue(name), nil
}

type queueListCmd struct {
	Stats   bool   `help:"Count the messages (which is done anyway)."`
	Pattern string `short:"p" placeholder:"GLOB" xor:"which" help:"Only queues whose name matches."`
	Prefix  string `placeholder:"TEXT" xor:"which" help:"Only queues whose name begins with this."`
	All     bool   `help:"The queues of weft and of tasks too (with --json, --pattern and --prefix they are listed anyway)."`
	rows
	Endpoints bool `xor:"which" help:"List the named endpoints of running tasks, and their queues."`

	pattern broker.Pattern
}

func (c *queueListCmd) prepare(a *app) (err error) {
	c.pattern, err = queuePattern(c.Pattern, c.Prefix)
	if !c.All && !a.JSON && c.Pattern == "" && c.Prefix == "" {
		c.pattern = withoutReserved(c.pattern)
	}
	return cmp.Or(err, c.rows.prepare(a))
}

// Run lists queues or endpoints.
func (c *queueListCmd) Run(a *app, p *weft.Project) error {
	limit := c.limit(a)
	if c.Endpoints {
		return a.printEndpoints(p, limit)
	}
	if limit > 0 {
		return a.printSomeQueues(p, c.pattern, limit)
	}
	for st, err := range p.Broker().Queues(c.pattern).Stats(context.Background()) {
		if err != nil {
			return err
		}
		if err := a.printStats(st); err != nil {
			return err
		}
	}
	return nil
}

// printSomeQueues prints queues, at most limit, and counts the messages of no
// others.
func (a *app) printSomeQueues(p *weft.Project, pattern broker.Pattern, limit int) error {
	ctx := context.Background()
	var others, ofTasks []string
	for name, err := range p.Broker().Queues(pattern).Names(ctx) {
		switch {
		case err != nil:
			return err
		case reserved(name) && !strings.HasPrefix(name, "weft."):
			ofTasks = append(ofTasks, name)
		default:
			others = append(others, name)
		}
	}
	// The newest of a task are the last.
	names := append(slices.Clone(others[:min(limit, len(others))]), ofTasks[max(0, len(ofTasks)-max(0, limit-len(others))):]...)
	slices.Sort(names)
	for _, name := range names {
		switch st, err := p.Queue(name).Stats(ctx); {
		case errors.Is(err, broker.ErrName):
			a.note("%v: somebody has changed the store", err)
		case err != nil:
			return err
		case st.Pending == 0: // since then
		default:
			if err := a.printStats(st); err != nil {
				return err
			}
		}
	}
	a.printMore(len(others) + len(ofTasks) - len(names))
	return nil
}

// queuePattern is the pattern of a glob, or if that is empty of a prefix.
func queuePattern(glob, prefix string) (broker.Pattern, error) {
	if glob == "" {
		return broker.Prefix(prefix), nil
	}
	return broker.Glob(glob)
}

// printStats prints how many messages a queue holds.
func (a *app) printStats(st broker.Stats) error {
	return a.emit(st, "%s: %d\n", visible(st.Queue), st.Pending)
}

type queueStatsCmd struct {
	Queue string `arg:"" optional:"" complete:"queue" help:"The queue, or @ and an alias; without it, all but those of weft and of tasks."`
}

// Run counts. Of all queues there are none where there is no project, which is worth a note
// and no error: scripts ask for the numbers before anything has been written.
func (c *queueStatsCmd) Run(a *app) error {
	p, err := a.project()
	if errors.Is(err, weft.ErrNoProject) && c.Queue == "" {
		a.note("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if c.Queue == "" {
		all := &queueListCmd{}
		return cmp.Or(all.prepare(a), all.Run(a, p))
	}
	q, err := resolve(p, c.Queue)
	if err != nil {
		return err
	}
	st, err := q.Stats(context.Background())
	switch {
	case err != nil:
		return err
	case st.Pending == 0:
		return none(q)
	}
	return a.printStats(st)
}

// none is the error of a queue that holds nothing that was asked for.
func none(q *broker.Queue) error { return fmt.Errorf("queue %q: %w", q.Name(), broker.ErrEmpty) }

type queueExistsCmd struct{ queueArg }

// Run looks.
func (c *queueExistsCmd) Run(a *app, q *broker.Queue) error {
	_, err := q.Peek(context.Background())
	exists := err == nil
	if err != nil && !errors.Is(err, broker.ErrEmpty) {
		return err
	}
	if err := a.emit(object("queue", q.Name(), "exists", exists), ""); err != nil {
		return err
	}
	if !exists {
		return exitCode(exitNotFound) // the answer, and not an error
	}
	return nil
}

type queueDeleteCmd struct {
	Queue   string `arg:"" optional:"" complete:"queue" help:"The queue, or @ and an alias."`
	Message string `short:"m" placeholder:"ID" help:"Only this message."`
	All     bool   `help:"All queues, but those of weft and of tasks."`

	id broker.ID
}

func (c *queueDeleteCmd) prepare(*app) (err error) {
	if c.All == (c.Queue != "") || c.All && c.Message != "" {
		return usageError{"give a queue, perhaps with --message, or --all"}
	}
	c.id, err = messageID(c.Message)
	return err
}

// Run deletes.
func (c *queueDeleteCmd) Run(a *app, p *weft.Project) error {
	n, err := c.delete(p)
	if err != nil {
		return err
	}
	return a.emit(object("deleted", n), "Deleted %s\n", plural(n, "message"))
}

// delete deletes and counts the messages.
func (c *queueDeleteCmd) delete(p *weft.Project) (int, error) {
	ctx := context.Background()
	if c.All {
		return p.Broker().Queues(withoutReserved(broker.Pattern{})).Delete(ctx)
	}
	q, err := resolve(p, c.Queue)
	if err != nil {
		return 0, err
	}
	n, err := q.Delete(ctx, broker.Select{ID: c.id})
	if err == nil && n == 0 {
		err = none(q)
	}
	return n, err
}

type queueRenameCmd struct {
	queueArg
	Name string `arg:"" complete:"-" help:"Its new name, which no queue may have."`
}

// Run renames.
func (c *queueRenameCmd) Run(a *app, p *weft.Project, q *broker.Queue) error {
	n, err := p.Broker().Rename(context.Background(), q.Name(), c.Name)
	if err != nil {
		return err
	}
	return a.emit(object("queue", q.Name(), "name", c.Name, "moved", n),
		"Renamed %s to %s (%s)\n", q.Name(), c.Name, plural(n, "message"))
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
