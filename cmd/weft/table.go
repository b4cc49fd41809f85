package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

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
	makeVisible(rows)
	paint := func(n, column int, cell string) string {
		if n == 0 || column != colored || cell == "-" {
			return cell
		}
		return a.paint(taskspec.Status(cell))
	}
	a.printRows(rows, columnWidths(rows), paint)
}

// makeVisible makes the cells text that a terminal only shows.
func makeVisible(rows [][]string) {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = visible(cell)
		}
	}
}

// columnWidths returns how wide each column has to be.
func columnWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], textWidth(cell))
		}
	}
	return widths
}

// columnGap is how far columns are apart.
const columnGap = 2

// printRows prints rows in columns so wide, each cell as paint paints it, which changes no
// widths.
func (a *app) printRows(rows [][]string, widths []int, paint func(row, column int, cell string) string) {
	for n, row := range rows {
		var line strings.Builder
		gap := 0
		for i, cell := range row {
			cell = cutText(cell, widths[i])
			if cell == "" {
				gap += widths[i] + columnGap
				continue
			}
			line.WriteString(strings.Repeat(" ", gap) + paint(n, i, cell))
			gap = widths[i] - textWidth(cell) + columnGap
		}
		a.stdout.Printf("%s\n", line.String())
	}
}

// fitColumns makes columns narrower until a row is not wider than room: those that may be,
// the widest first, down to the least width of each, which is 0 for one that keeps its own.
func fitColumns(widths, least []int, room int) []int {
	widths = slices.Clone(widths)
	all := columnGap * (len(widths) - 1)
	for _, w := range widths {
		all += w
	}
	for ; all > room; all-- {
		widest := -1
		for i, w := range widths {
			if least[i] > 0 && w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
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
func (a *app) paint(s taskspec.Status) string { return a.paintAs(s, visible(string(s))) }

// paintAs colors a text as what has this status.
func (a *app) paintAs(s taskspec.Status, text string) string {
	if !a.color {
		return text
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
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, text)
}
