package main

import (
	"context"
	"errors"
	"os"
)

// transactions is how many of the four transactions of a task (submit,
// dispatch, finish, take the result) the floor does not have at all. Each of
// them costs an fsync where durability is full.
const transactions = 3

// floorOf returns the program that is the floor of a client, and its store,
// which this process holds open; the caller closes that.
func (b *bench) floorOf(durability string) (program, *bare, error) {
	dir, err := b.folder()
	if err != nil {
		return program{}, nil, err
	}
	s, err := newBare(dir, durability)
	if err != nil {
		return program{}, nil, err
	}
	return program{path: b.floor, args: []string{"--store", s.file, "--durability", durability}}, s, nil
}

// weftTrue is the program that runs a task which does nothing.
func (b *bench) weftTrue(dir string) program {
	return program{path: b.weft, args: []string{"run", "true"}, dir: dir}
}

// warm makes a project and its manager and consumers ready.
func (b *bench) warm(ctx context.Context, durability string) (program, error) {
	dir, err := b.project(ctx, durability)
	if err != nil {
		return program{}, err
	}
	p := b.weftTrue(dir)
	hello := p
	hello.args = []string{"run", "echo", "hello world"}
	return p, hello.says("hello world\n")
}

// runWarm measures the main job: a command that does nothing, run as a durable
// task by a project whose manager is there.
func runWarm(ctx context.Context, b *bench) (rows []row, err error) {
	normal, err := b.warm(ctx, "normal")
	if err != nil {
		return nil, err
	}
	full, err := b.warm(ctx, "full")
	if err != nil {
		return nil, err
	}
	floor, held, err := b.floorOf("normal")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.close()) }()
	d, err := openDisk(b.root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	s, err := compare(ctx, b.rounds, 20, normal.spend, full.spend, floor.spend, d.sync)
	if err != nil {
		return nil, err
	}
	return []row{
		newRow("warm `weft run true`, normal", "ms", s[0], s[2], "bare program: open, insert, exit", atMost(1.5)),
		newRow("warm `weft run true`, full", "ms", s[1], s[2].plus(transactions, s[3]), "the same + 3 fsyncs", atMost(1.5)),
	}, nil
}

// runCold measures the same in a new folder: the project is created, and its
// manager and a consumer are started.
func runCold(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		warm, err := b.warm(ctx, durability)
		if err != nil {
			return nil, err
		}
		s, err := compare(ctx, b.rounds, 5, warm.spend, func() (float64, error) { return b.cold(durability) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, newRow("cold `weft run true`, "+durability, "ms", s[1], s[0], "warm", atMost(5)))
	}
	return rows, nil
}

// cold runs the first task of a new project and removes it again.
func (b *bench) cold(durability string) (ms float64, err error) {
	dir, err := b.folder()
	if err != nil {
		return 0, err
	}
	defer func() {
		stopErr := stopManager(dir)
		err = errors.Join(err, stopErr, os.RemoveAll(dir))
	}()
	p := b.weftTrue(dir)
	p.env = durable(durability)
	return p.spend()
}
