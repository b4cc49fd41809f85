package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// throughCLI measures tasks that are run one by one, each by a client of its
// own: against fork and exec in a loop, and against as many programs that only
// insert a message.
func throughCLI(ctx context.Context, b *bench) (rows []row, err error) {
	const tasks = 200
	for _, durability := range durabilities {
		warm, err := b.warm(ctx, durability)
		if err != nil {
			return nil, err
		}
		floor, held, err := b.floorOf(durability)
		if err != nil {
			return nil, err
		}
		fork := program{path: "/bin/true"}
		s, err := compare(ctx, b.rounds, 1,
			program{
				path:  "xargs",
				args:  []string{"-P2", "-n1", b.weft, "run"},
				dir:   warm.dir,
				stdin: strings.Repeat("/bin/true\n", tasks),
			}.rate(tasks),
			func() (float64, error) {
				return rate(tasks, func() error {
					for range tasks {
						if _, err := fork.spend(); err != nil {
							return err
						}
					}
					return nil
				})
			},
			program{
				path:  "xargs",
				args:  append([]string{"-P2", "-n1", floor.path}, floor.args...),
				stdin: strings.Repeat("x\n", tasks),
			}.rate(tasks),
		)
		if err = errors.Join(err, held.close()); err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%d `xargs -P2 -n1 weft run`, %s", tasks, durability)
		rows = append(rows,
			newRow(name, "/s", s[0], s[1], "fork + exec in a loop", target{}),
			newRow(name, "/s", s[0], s[2], "the same with the bare program", target{}))
	}
	return rows, nil
}
