package main

import (
	"context"
	"errors"
	"fmt"

	"weft"
)

// queueClient measures `weft queue write` as a shell uses it: a process for
// each message, while another one, this, holds the project open. The floor is
// a process too, which does nothing but insert a message into a store that is
// held open as well.
func queueClient(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		some, err := b.client(ctx, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some)
	}
	return rows, nil
}

func (b *bench) client(ctx context.Context, durability string) (r row, err error) {
	dir, err := b.project(ctx, durability)
	if err != nil {
		return row{}, err
	}
	p, err := weft.Open(dir)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	floor, held, err := b.floorOf(durability)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, held.close()) }()
	floor.args = append(floor.args, "x")

	const turns = 20
	write := program{path: b.weft, args: []string{"queue", "write", queueName, "x"}, dir: dir}
	s, err := compare(ctx, b.rounds, turns, write.spend, floor.spend)
	if err != nil {
		return row{}, err
	}
	st, err := p.Queue(queueName).Stats(ctx)
	if want := (b.rounds + 1) * turns; err == nil && st.Pending != want {
		err = fmt.Errorf("queue holds %d messages, want %d", st.Pending, want)
	}
	return newRow("`weft queue write q x`, "+durability, "ms", s[0], s[1], "bare program: open, insert, exit", atMost(1.3)), err
}
