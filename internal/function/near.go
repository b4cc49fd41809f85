package function

import (
	"slices"
	"strings"
)

// Near returns the names that are similar to an unknown one, closest first, at most three.
func Near(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, other := range names {
		d := distance(strings.ToLower(name), strings.ToLower(other))
		if strings.Contains(strings.ToLower(other), strings.ToLower(name)) {
			d = min(d, 1) // a part of it was left out
		}
		if d <= max(1, len(name)/4) {
			near = append(near, candidate{other, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var found []string
	for _, c := range near[:min(len(near), 3)] {
		found = append(found, c.name)
	}
	return found
}

// distance returns how many bytes must be inserted, deleted or replaced to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
