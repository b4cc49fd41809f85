package main

import "context"

// start measures how long the program takes to start: what every command of the
// CLI pays before it does anything.
func start(ctx context.Context, b *bench) ([]row, error) {
	s, err := compare(ctx, b.rounds, 20,
		program{path: b.weft, args: []string{"version"}}.spend,
		program{path: b.empty}.spend,
		program{path: "/bin/true"}.spend,
	)
	if err != nil {
		return nil, err
	}
	weft, empty, nothing := s[0], s[1], s[2]
	return []row{
		newRow("`weft version`", "ms", weft, empty, "empty Go program", target{}),
		newRow("`weft version`", "ms", weft, nothing, "`/bin/true`", target{}),
	}, nil
}
