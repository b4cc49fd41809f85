package main

import (
	"fmt"

	"weft"
	"weft/taskspec"
)

type systemTidyCmd struct {
	All bool `help:"Remove every task that has ended."`
}

// Run tidies and prints what was removed.
func (c *systemTidyCmd) Run(a *app, p *weft.Project) error {
	r, err := p.System().Tidy(interruptible().first, weft.TidyOptions{All: c.All})
	if err != nil {
		// What was removed is gone, whatever has failed then.
		a.note("removed until then: %s, %s, %s, %s, %s, %s", plural(r.Events, "event"), plural(r.Tasks, "task"),
			plural(r.Keys, "key"), plural(r.Environments, "environment"), plural(r.Records, "record"), plural(r.Files, "file"))
		return err
	}
	if a.JSON {
		return a.printJSON(object("context", taskspec.RawString(p.Root()), "events", r.Events, "tasks", r.Tasks,
			"keys", r.Keys, "environments", r.Environments, "records", r.Records, "files", r.Files, "file_bytes", r.FileBytes,
			"unknown_files", r.UnknownFiles, "store_bytes_before", r.StoreBefore, "store_bytes_after", r.StoreAfter,
			"log_bytes_before", r.LogBefore, "log_bytes_after", r.LogAfter))
	}
	a.stdout.Printf("Tidied %s\n", visible(r.Dir))
	a.stdout.Printf("Events:       %d removed\n", r.Events)
	a.stdout.Printf("Tasks:        %d removed\n", r.Tasks)
	a.stdout.Printf("Keys:         %d removed\n", r.Keys)
	a.stdout.Printf("Environments: %d removed\n", r.Environments)
	a.stdout.Printf("Records:      %d removed\n", r.Records)
	a.stdout.Printf("Files:        %d removed (%s)\n", r.Files, size(r.FileBytes))
	a.stdout.Printf("Store:        %s → %s\n", size(r.StoreBefore), size(r.StoreAfter))
	a.stdout.Printf("Log:          %s → %s\n", size(r.LogBefore), size(r.LogAfter))
	if r.UnknownFiles > 0 {
		a.note("left alone: %s among the outputs that weft did not write", plural(r.UnknownFiles, "file"))
	}
	return nil
}

// size is a number of bytes as people read it.
func size(n int64) string {
	const kilo = 1 << 10
	switch {
	case n < kilo:
		return fmt.Sprintf("%d B", n)
	case n < kilo*kilo:
		return fmt.Sprintf("%.1f KB", float64(n)/kilo)
	case n < kilo*kilo*kilo:
		return fmt.Sprintf("%.1f MB", float64(n)/(kilo*kilo))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(kilo*kilo*kilo))
}
