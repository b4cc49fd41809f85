package main

import (
	"fmt"

	"weft"
)

type systemRepairCmd struct{}

// Run repairs the project and prints what was done.
func (systemRepairCmd) Run(a *app, p *weft.Project) error {
	r, err := p.System().Repair(interruptible().first)
	if err != nil {
		return err
	}
	if a.JSON {
		records := []any{}
		for _, rec := range r.Records {
			records = append(records, object("kind", rec.Kind, "key", rec.Key, "problem", rec.Problem, "mended", rec.Mended, "messages", rec.Messages))
		}
		return a.printJSON(object("records", records).AddOrNull("file", r.File).Add("store", append([]string{}, r.Store...)))
	}
	for _, text := range r.Store {
		a.stdout.Printf("%s\n", visible(text))
	}
	for _, rec := range r.Records {
		done := "set aside"
		if rec.Mended {
			done = "made anew"
		}
		a.stdout.Printf("%s: %s\n", visible(fmt.Sprintf("%s %s (%s)", rec.Kind, rec.Key, rec.Problem)), done)
	}
	switch {
	case r.File != "":
		a.stdout.Printf("What was damaged is in %s\n", visible(r.File))
	case len(r.Store) == 0:
		a.stdout.Printf("Nothing is damaged.\n")
	}
	return nil
}
