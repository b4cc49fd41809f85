package main

import (
	"fmt"
)

// defaultRows is how much of a long list a person is shown.
const defaultRows = 50

// rows is how long a list may be.
type rows struct {
	Limit *int `short:"n" placeholder:"N" help:"Show at most so many, and how many more there are (default: 50; 0: all; with --json: all)."`
}

func (r rows) prepare(*app) error {
	if r.Limit != nil && *r.Limit < 0 {
		return usageError{"--limit: give a number from 0 on; 0 is no limit"}
	}
	return nil
}

// limit is the greatest number of rows, 0 if there is none.
func (r rows) limit(a *app) int {
	switch {
	case r.Limit != nil:
		return *r.Limit
	case a.JSON:
		return 0
	}
	return defaultRows
}

// printMore says how many rows were left out, if any were; less than 0 is a number
// that is not known.
func (a *app) printMore(more int) {
	if more != 0 && !a.JSON {
		a.stdout.Printf("%s\n", moreText(more))
	}
}

func moreText(more int) string {
	if more < 0 {
		return "… and more: -n 0 shows all"
	}
	return fmt.Sprintf("… and %d more: -n 0 shows all", more)
}
