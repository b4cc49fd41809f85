package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"weft"
	"weft/taskspec"
)

// printTable prints rows of cells below each other. The first row is the head.
// Each cell is text of a user, or of a task; paint may color the text of a
// column after its width is known.
func (a *app) printTable(rows [][]string, paint func(column int, cell string) string) {
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
			if n > 0 && paint != nil {
				cell = paint(i, cell)
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
	a.printTable(rows, func(column int, cell string) string {
		if column == statusColumn {
			return a.paint(taskspec.Status(cell))
		}
		return cell
	})
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
