package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"weft"
	"weft/taskspec"
)

// noColumn is for a table without a column that is colored.
const noColumn = -1

// emitAll prints things as rows of a table, below a head if it has one and there are
// any, or with --json as an object each.
func emitAll[T any](a *app, all []T, object func(T) any, head []string, row func(T) []string, colored int) error {
	var rows [][]string
	if head != nil {
		rows = append(rows, head)
	}
	for _, v := range all {
		if a.JSON {
			if err := a.printJSON(object(v)); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, row(v))
	}
	if len(all) > 0 && !a.JSON {
		a.printTable(rows, colored)
	}
	return a.stdout.err
}

// printTable prints rows of cells below each other. The first row is the head.
// Each cell is text of a user, or of a task; those of one column are a status, which
// is colored.
func (a *app) printTable(rows [][]string, colored int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = visible(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			gap := widths[i] - utf8.RuneCountInString(cell) + 2
			if n > 0 && i == colored && cell != "-" {
				cell = a.paint(taskspec.Status(cell))
			}
			line.WriteString(cell + strings.Repeat(" ", gap))
		}
		a.stdout.Printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// printTasks prints a table of tasks.
func (a *app) printTasks(tasks []*weft.TaskStatus, now time.Time) {
	const statusColumn = 1
	rows := [][]string{{"TID", "STATUS", "NAME", "SUBMITTED", "TIME", "ERROR"}}
	for _, s := range tasks {
		took := "-"
		if !s.Started.IsZero() {
			took = short(s.Elapsed(now))
		}
		rows = append(rows, []string{
			taskspec.ShortTID(s.TID), string(standing(s)) + waiting(s, ", ", ""), s.Name, short(now.Sub(s.Created)) + " ago", took, cmp.Or(s.Error, expected(s, now), stageText(s)),
		})
	}
	a.printTable(rows, statusColumn)
}

// short is a duration to the two units that matter: 12ms, 3.4s, 2m05s, 3h12m,
// 5d07h.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
}

// clock is a time in the user's time zone.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// colored decides whether text is colored: when is auto, always or never.
func colored(when string, terminal bool) bool {
	return when == "always" || when == "auto" && os.Getenv("NO_COLOR") == "" && terminal
}

// paint colors the status of a task, or the state of a finding.
func (a *app) paint(s taskspec.Status) string {
	if !a.color {
		return visible(string(s))
	}
	color := map[taskspec.Status]int{
		"ok":                     32, // green
		"note":                   33, // yellow
		taskspec.StatusCompleted: 32,
		taskspec.StatusRunning:   36, // cyan
		taskspec.StatusCreated:   33,
		taskspec.StatusSpawning:  33,
		"paused":                 33,
		taskspec.StatusCancelled: 35, // magenta
	}[s]
	if color == 0 {
		color = 31 // red
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, visible(string(s)))
}
