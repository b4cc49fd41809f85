package main

import (
	"context"
	"fmt"
	"slices"

	"weft"
	"weft/taskspec"
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

// newest returns the newest tasks that f selects, oldest first, at most limit of
// them unless that is 0, and how many more there are; less than 0 if that would
// have to be found out by reading all.
func newest(ctx context.Context, p *weft.Project, f weft.TaskFilter, limit int) (tasks []*weft.TaskStatus, more int, err error) {
	for s, err := range p.Tasks(ctx, f) {
		if err != nil {
			return nil, 0, err
		}
		if limit > 0 && len(tasks) == limit {
			more = -1
			break
		}
		tasks = append(tasks, s)
	}
	slices.Reverse(tasks)
	if more == 0 || f.Name != "" || f.Tag != "" {
		return tasks, more, nil
	}
	counts, err := p.CountTasks(ctx)
	return tasks, max(1, count(counts, f.Statuses)-limit), err
}

// count is how many tasks have one of the statuses, or any if there is none.
func count(counts map[taskspec.Status]int, statuses []taskspec.Status) (sum int) {
	for status, n := range counts {
		if len(statuses) == 0 || slices.Contains(statuses, status) {
			sum += n
		}
	}
	return sum
}
