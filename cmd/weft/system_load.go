package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"weft"
	"weft/broker"
)

type systemLoadCmd struct {
	Input    string `short:"i" placeholder:"FILE" complete:"file" help:"The file, or - for standard input (default: weft_export.jsonl in .weft)."`
	DryRun   bool   `help:"Show what would be done, and do nothing."`
	Force    bool   `help:"Also take in a dump whose ids are more than a day ahead of this clock. All later ids are then greater."`
	Requests bool   `help:"Also take in tasks that wait to be run. They run here, with the manager's environment."`
}

// Run takes in a dump.
func (c *systemLoadCmd) Run(a *app) error {
	in, p, err := c.open(a)
	if err != nil {
		return err
	}
	defer in.Close()
	ctx := context.Background()
	options := weft.LoadOptions{DryRun: c.DryRun, Requests: c.Requests, Force: c.Force}
	var report *weft.LoadReport
	if p == nil {
		report, err = weft.PreviewLoad(ctx, in, options)
	} else {
		report, err = p.System().Load(ctx, in, options)
	}
	if report != nil && (err == nil || c.DryRun) {
		err = errors.Join(c.print(a, report), err)
	}
	return err
}

// open opens the dump, and the project that it is for: nil if there is none and
// this is a dry run.
func (c *systemLoadCmd) open(a *app) (in io.ReadCloser, p *weft.Project, err error) {
	path, open := c.Input, func() (*os.File, error) { return os.Open(c.Input) }
	if path == "" {
		// In the project's folder, so there must be one.
		if p, err = a.open(nil); err != nil {
			return nil, nil, err
		}
		path, open = p.System().ExportFile(), p.System().OpenExport
	}
	in = a.stdin
	if path != "-" {
		in, err = open()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, noneOf{fmt.Sprintf("no dump %s: name one with -i", path)}
	case err != nil || p != nil:
		return in, p, err
	case !c.DryRun:
		p, err = a.openOrCreate(func() error { return c.check(in) }, nil)
	default:
		if p, err = a.open(nil); errors.Is(err, weft.ErrNoProject) {
			err = nil
		}
	}
	return in, p, err
}

// check says why a dump would be refused in a project that has nothing in it yet, if
// it can be read twice.
func (c *systemLoadCmd) check(dump io.Reader) error {
	s, ok := dump.(io.ReadSeeker)
	if !ok {
		return nil
	}
	if _, err := s.Seek(0, io.SeekCurrent); err != nil {
		return nil
	}
	_, err := weft.PreviewLoad(context.Background(), s, weft.LoadOptions{Requests: c.Requests})
	if err == nil {
		_, err = s.Seek(0, io.SeekStart)
	}
	return err
}

// print says what came, or would come, of the dump.
func (c *systemLoadCmd) print(a *app, r *weft.LoadReport) error {
	if a.JSON {
		return a.printJSON(object("dry_run", c.DryRun, "format", r.Header.Format, "created_at", r.Header.Created,
			"last_id", r.Header.LastID.String(), "messages", r.Messages, "queues", r.Queues, "aliases", r.Aliases,
			"records", r.Records, "skipped", r.Present, "lost", r.Lost, "requests", r.Requests, "requests_loaded", c.Requests,
			"state_left_out", r.State+r.Views, "conflicts", r.Conflicting).AddUnlessZero("conflicting", r.Conflicts))
	}
	verb := "Imported"
	if c.DryRun {
		verb = "Would import"
		a.stdout.Printf("Import preview: %s of %s\n", r.Header.Format, dumpTime(r.Header.Created))
	}
	a.stdout.Printf("%s %s\n", verb, contents(broker.DumpReport{
		Aliases: r.Aliases, Records: r.Records, Messages: r.Messages, Queues: r.Queues,
	}))
	requests := "left out (--requests takes them in)"
	if c.Requests {
		requests = "taken in; a manager runs them with its own environment"
	}
	for _, part := range []struct {
		n    int
		what string
	}{
		{r.Present, "already there, the same: skipped"},
		{r.Lost, "running when the dump was made: lost"},
		{r.Requests, "waiting to be run: " + requests},
		{r.State + r.Views, "about processes of elsewhere: left out"},
		{r.Conflicting, "in conflict with what is there"},
	} {
		if part.n > 0 {
			a.stdout.Printf("%d %s\n", part.n, part.what)
		}
	}
	return nil
}

// dumpTime is when a dump was made.
func dumpTime(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return clock(t)
}
