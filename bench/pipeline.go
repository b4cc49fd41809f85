package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft"
)

// pipelines measures a pipeline of three commands against the same three run one
// after the other, each submitted when the one before has ended.
func pipelines(durability string) func(context.Context, *bench) ([]row, error) {
	return func(ctx context.Context, b *bench) (rows []row, err error) {
		dir, err := b.project(ctx, durability)
		if err != nil {
			return nil, err
		}
		p, err := weft.Open(dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		s, err := compare(ctx, b.rounds, 50,
			milliseconding(func() error { return runPipeline(ctx, p) }),
			milliseconding(func() error { return runThree(ctx, p) }),
		)
		if err != nil {
			return nil, err
		}
		return []row{newRow("pipeline of three `/bin/true`, "+durability, "ms", s[0], s[1],
			"three tasks, one after the other", atMost(1.2))}, nil
	}
}

// milliseconding measures how long do takes.
func milliseconding(do func() error) side {
	return func() (float64, error) {
		begin := time.Now()
		err := do()
		return milliseconds(time.Since(begin)), err
	}
}

func runPipeline(ctx context.Context, p *weft.Project) error {
	steps := &weft.Pipeline{Name: "three"}
	for i := range 3 {
		steps.Stages = append(steps.Stages, weft.Stage{Name: fmt.Sprint("stage ", i), Spec: weft.Command("/bin/true")})
	}
	res, err := p.RunPipeline(ctx, steps)
	if err != nil {
		return err
	}
	return right(res)
}

func runThree(ctx context.Context, p *weft.Project) error {
	for range 3 {
		res, err := p.RunContext(ctx, weft.Command("/bin/true"))
		if err != nil {
			return err
		}
		if err := right(res); err != nil {
			return err
		}
	}
	return nil
}
