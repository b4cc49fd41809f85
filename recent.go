package weft

import (
	"cmp"
	"context"
	"slices"

	"weft/broker"
	"weft/taskspec"
)

// Recent returns how the newest of the project's tasks stand, newest first: at
// most n of those with one of the statuses, or of all if none is given. It reads
// at most n of each status, however many tasks there are. With n less than 1 it
// returns none. Cancelling ctx ends it with an error.
func Recent(ctx context.Context, c *Context, n int, statuses ...taskspec.Status) ([]*Status, error) {
	if n < 1 {
		return nil, nil
	}
	newest := broker.RecordSelect{Newest: true, Limit: n}
	if len(statuses) == 0 {
		return listTasks(ctx, c, newest, nil)
	}
	var tasks []*Status
	// The store keeps an order within a status only.
	for i := range statuses {
		found, err := listTasks(ctx, c, newest, statuses[i:i+1])
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, found...)
	}
	slices.SortFunc(tasks, func(a, b *Status) int { return cmp.Compare(b.TID, a.TID) })
	return tasks[:min(n, len(tasks))], nil
}
