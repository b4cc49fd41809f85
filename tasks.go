package weft

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// tasksAtOnce is how many tasks [Project.Tasks] reads at once, of each status
// that is asked for. One may hold the 64 KiB of its standard error, and its
// spec.
const tasksAtOnce = 100

// A TaskFilter says which tasks are meant. The zero value means all, newest
// first.
type TaskFilter struct {
	Statuses []taskspec.Status // only tasks with one of these; empty = any
	Name     string            // only tasks whose name matches this pattern, see [broker.Glob]; empty = any
	Tag      string            // only tasks that have this tag; empty = any
	Oldest   bool              // oldest first
}

// Tasks iterates over the project's tasks, newest first unless the filter says
// otherwise. It leaves out tasks whose records are damaged: [System.Check] and
// [System.Doctor] name them. Tasks reads some records at a time, so its use of memory
// does not grow with their number. It yields each task at most once, and every task that
// has one of the wanted statuses throughout, also if it changes between them. With the
// oldest first it may yield tasks that are submitted meanwhile.
//
// An error, such as a bad pattern or the end of ctx, is in the last pair.
func (p *Project) Tasks(ctx context.Context, f TaskFilter) iter.Seq2[*TaskStatus, error] {
	return func(yield func(*TaskStatus, error) bool) {
		if err := f.each(ctx, p.broker, func(s *TaskStatus) bool { return yield(s, nil) }); err != nil {
			yield(nil, fmt.Errorf("list tasks: %w", err))
		}
	}
}

// CountTasks counts the tasks of a project by status, without reading them.
func (p *Project) CountTasks(ctx context.Context) (map[taskspec.Status]int, error) {
	states, err := broker.CountRecords(ctx, p.broker, ledger.Kind)
	if err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	counts := make(map[taskspec.Status]int, len(states))
	for state, n := range states {
		counts[taskspec.Status(state)] = n
	}
	return counts, nil
}

// each calls yield with the tasks, until it returns false.
func (f TaskFilter) each(ctx context.Context, b *broker.Broker, yield func(*TaskStatus) bool) error {
	name := broker.Pattern{}
	if f.Name != "" {
		var err error
		if name, err = broker.Glob(f.Name); err != nil {
			return err
		}
	}
	for sel := (broker.RecordSelect{Newest: !f.Oldest, Limit: tasksAtOnce}); ; {
		page, err := f.page(ctx, b, sel)
		if err != nil {
			return err
		}
		for _, r := range page {
			l, err := ledger.Decode(r)
			if err != nil {
				continue // Check reports it
			}
			matches := (f.Name == "" || name.Match(l.Name)) && (f.Tag == "" || slices.Contains(l.Tags, f.Tag))
			if matches && !yield(newStatus(l)) {
				return nil
			}
		}
		if len(page) < sel.Limit {
			return nil
		}
		if last := page[len(page)-1].Rank; f.Oldest {
			sel.AfterRank = last
		} else {
			sel.BeforeRank = last
		}
	}
}

// page reads the next tasks, of one point in time: a task that goes from one status to
// another is not missed between them.
func (f TaskFilter) page(ctx context.Context, b *broker.Broker, sel broker.RecordSelect) (page []broker.Record, err error) {
	if len(f.Statuses) == 0 {
		return b.Records(ctx, ledger.Kind, sel)
	}
	statuses := slices.Clone(f.Statuses)
	slices.Sort(statuses)
	err = b.View(ctx, func(r broker.Reader) error {
		page = nil
		// One after the other: those of several the store would have to sort
		// anew for each page.
		for _, status := range slices.Compact(statuses) {
			sel.States = []string{string(status)}
			recs, err := r.Records(ledger.Kind, sel)
			if err != nil {
				return err
			}
			page = append(page, recs...)
		}
		return nil
	})
	slices.SortFunc(page, func(a, b broker.Record) int {
		if sel.Newest {
			a, b = b, a
		}
		return cmp.Compare(a.Rank, b.Rank)
	})
	return page[:min(len(page), sel.Limit)], err
}

// Unfinished returns the statuses of tasks that have not ended, for a
// [TaskFilter].
func Unfinished() []taskspec.Status {
	return []taskspec.Status{taskspec.StatusCreated, taskspec.StatusSpawning, taskspec.StatusRunning}
}
