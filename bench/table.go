package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A table is the rows in the order in which they are shown.
type table []row

var heads = []string{"", "Weft", "floor", "ratio", "middle half", "target", ""}

// text is the table for a terminal.
func (t table) text() string {
	lines := [][]string{heads}
	for _, r := range t {
		lines = append(lines, r.cells())
	}
	widths := make([]int, len(heads))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, cells := range lines {
		var line strings.Builder
		for i, cell := range cells {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(&b, strings.TrimRight(line.String(), " "))
	}
	return b.String()
}

// markdown is the same table for BENCHMARKS.md.
func (t table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line(slices.Repeat([]string{"---"}, len(heads)))
	for _, r := range t {
		cells := r.cells()
		if cells[len(cells)-1] == "missed" {
			cells[len(cells)-1] = "**missed**"
		}
		line(cells)
	}
	return b.String()
}
