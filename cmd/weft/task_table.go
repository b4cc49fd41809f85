package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft"
	"weft/taskspec"
)

// The columns of the table of tasks.
const (
	idColumn = iota
	stateColumn
	commandColumn
	nameColumn
	exitColumn
	ageColumn
	timeColumn
	whyColumn
)

// taskHead is the head of the table of tasks.
func taskHead() []string {
	return []string{"ID", "STATE", "COMMAND", "NAME", "EXIT", "AGE", "TIME", "WHY"}
}

// taskLeast are the widths to which a narrow terminal cuts these columns.
func taskLeast() []int {
	return []int{commandColumn: 12, nameColumn: 6, whyColumn: 12}
}

// printTasks prints a table of tasks, no wider than the terminal if there is one.
func (a *app) printTasks(tasks []*weft.TaskStatus, now time.Time) {
	rows := [][]string{taskHead()}
	for _, s := range tasks {
		rows = append(rows, taskRow(s, now))
	}
	makeVisible(rows)
	least := taskLeast()
	if room, _ := a.stdout.size(); room > 0 {
		rows, least = withoutIdle(rows, least, tasks)
		a.printRows(rows, fitColumns(columnWidths(rows), least, room), a.paintState(tasks))
		return
	}
	a.printRows(rows, columnWidths(rows), a.paintState(tasks))
}

// paintState colors the states in a table of tasks.
func (a *app) paintState(tasks []*weft.TaskStatus) func(row, column int, cell string) string {
	return func(row, column int, cell string) string {
		if row == 0 || column != stateColumn {
			return cell
		}
		return a.paintAs(standing(tasks[row-1]), cell)
	}
}

// taskRow is the row of a task.
func taskRow(s *weft.TaskStatus, now time.Time) []string {
	return []string{
		idColumn:      taskspec.ShortTID(s.TID),
		stateColumn:   symbol(standing(s)) + " " + string(standing(s)),
		commandColumn: commandText(s),
		nameColumn:    s.Name,
		exitColumn:    exitText(s),
		ageColumn:     ago(now.Sub(s.Created)),
		timeColumn:    timeText(s, now),
		whyColumn:     whyText(s, now),
	}
}

// withoutIdle leaves out the columns that say nothing: a terminal has no room for them.
func withoutIdle(rows [][]string, least []int, tasks []*weft.TaskStatus) ([][]string, []int) {
	says := make([]bool, len(rows[0]))
	for n, row := range rows[1:] {
		for i, cell := range row {
			says[i] = says[i] || cell != "" && (i != nameColumn || !isDefaultName(tasks[n]))
		}
	}
	keep := func(column int) bool { return says[column] }
	for n, row := range rows {
		rows[n] = only(row, keep)
	}
	return rows, only(least, keep)
}

// only returns the values with the indexes that are to be kept.
func only[T any](values []T, keep func(int) bool) (kept []T) {
	for i, v := range values {
		if keep(i) {
			kept = append(kept, v)
		}
	}
	return kept
}

// isDefaultName reports whether a task has the name that its command gives it.
func isDefaultName(s *weft.TaskStatus) bool {
	argv := s.Command()
	return len(argv) > 0 && filepath.Base(argv[0]) == s.Name
}

// symbol stands for a state where color may not.
func symbol(state taskspec.Status) string {
	switch state {
	case taskspec.StatusCreated, taskspec.StatusSpawning:
		return "◦"
	case taskspec.StatusRunning:
		return "▸"
	case taskspec.StatusCompleted:
		return "✓"
	case taskspec.StatusCancelled:
		return "⊘"
	case "paused":
		return "="
	case taskspec.StatusFailed, taskspec.StatusTimeout, taskspec.StatusKilled:
		return "✗"
	}
	return "?"
}

// exitText is the exit code of a task, or the signal that its command died of.
func exitText(s *weft.TaskStatus) string {
	switch {
	case s.Signal != "":
		return s.Signal
	case s.ReturnCode != nil:
		return strconv.Itoa(*s.ReturnCode)
	}
	return ""
}

// timeText is how long a task has worked.
func timeText(s *weft.TaskStatus, now time.Time) string {
	if s.Started.IsZero() {
		return ""
	}
	return short(s.Elapsed(now))
}

// whyText is why a task stands as it does: why it ended, for what it waits, or how far it
// is.
func whyText(s *weft.TaskStatus, now time.Time) string {
	why := s.Error
	if s.ReturnCode != nil { // which has a column of its own
		why = strings.TrimPrefix(strings.TrimPrefix(why, fmt.Sprintf("command exited with %d", *s.ReturnCode)), ": ")
	}
	return cmp.Or(why, s.Why, stageText(s), progressText(s))
}

// ago is a time in the past, in the largest unit of which there is one.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", max(d, 0)/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	}
	return fmt.Sprintf("%dd ago", d/day)
}

// printRecord prints a task on a line of its own for programs: what the table has, each
// cell behind a tab but the first, none of them cut or left out. The age is the time of the
// submission, the time is in seconds, and the id is whole; "-" is what there is not.
func (a *app) printRecord(s *weft.TaskStatus, now time.Time) error {
	row := taskRow(s, now)
	row[idColumn] = s.TID
	row[stateColumn] = string(standing(s))
	row[ageColumn] = s.Created.UTC().Format(time.RFC3339)
	if !s.Started.IsZero() {
		row[timeColumn] = fmt.Sprintf("%.3f", s.Elapsed(now).Seconds())
	}
	for i, cell := range row {
		row[i] = cmp.Or(visible(cell), "-")
	}
	row[stateColumn] = a.paint(standing(s))
	return a.emit(s, "%s\n", strings.Join(row, "\t"))
}

// newest returns the tasks that f selects in the order of the table, at most limit of them
// unless that is 0, and how many more there are; less than 0 if that would
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
	if more == 0 || f.Name != "" || f.Tag != "" || !f.Since.IsZero() {
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
