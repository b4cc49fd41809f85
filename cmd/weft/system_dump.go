package main

import (
	"cmp"
	"context"
	"fmt"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

type systemDumpCmd struct {
	Output         string `short:"o" placeholder:"FILE" complete:"file" help:"The file, or - for standard output (default: weft_export.jsonl in .weft)."`
	IncludeState   bool   `help:"Also the records of managers and endpoints, to look at; load leaves them out."`
	IncludeSecrets bool   `help:"Keep the values of the environment in specs, which are hidden otherwise."`
}

// Run dumps the project.
func (c *systemDumpCmd) Run(a *app, p *weft.Project) error {
	ctx := context.Background()
	options := weft.DumpOptions{State: c.IncludeState, Secrets: c.IncludeSecrets}
	if c.Output == "-" {
		if err := a.canDeliver(); err != nil {
			return err
		}
		a.delivers = true
		_, err := p.System().Dump(ctx, a.shown(false), options)
		return err
	}
	path := cmp.Or(c.Output, p.System().ExportFile())
	report, err := p.System().DumpFile(ctx, path, options)
	if err != nil {
		return err
	}
	answer := object("file", taskspec.RawString(path), "messages", report.Messages, "queues", report.Queues,
		"aliases", report.Aliases, "records", report.Records).AddUnlessZero("damaged", report.Damaged)
	if err := a.emit(answer, "Exported %s to %s\n", contents(report), visible(path)); err != nil {
		return err
	}
	if report.Damaged > 0 && !a.JSON {
		a.stdout.Printf("Left out because they are damaged: %d: weft system doctor\n", report.Damaged)
	}
	return nil
}

// contents says what a dump holds.
func contents(r broker.DumpReport) string {
	aliases := "1 alias"
	if r.Aliases != 1 {
		aliases = fmt.Sprintf("%d aliases", r.Aliases)
	}
	return fmt.Sprintf("%s from %s, %s and %s",
		plural(r.Messages, "message"), plural(r.Queues, "queue"), aliases, plural(r.Records, "record"))
}
