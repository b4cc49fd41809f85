package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weft"
	"weft/taskspec"
)

// functionCalls is how many calls are made to measure their rate.
const functionCalls = 500

// entry is the host's function that says when it was entered.
const entry = "host.entry"

// functions measures calls of functions that have a process each.
func functions(ctx context.Context, b *bench) (rows []row, err error) {
	s, err := compare(ctx, b.rounds, 20,
		func() (float64, error) { return b.warmCall(ctx) },
		func() (float64, error) { return b.coldCall(ctx) },
	)
	if err != nil {
		return nil, err
	}
	rows = append(rows, newRow("call of a function: from the order to its first line", "ms", s[0], s[1],
		"the same in a process that must be started", atMost(0.1)))
	for _, durability := range durabilities {
		some, err := b.functions(ctx, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// functions measures whole tasks against bare starts of the program that has the
// functions.
func (b *bench) functions(ctx context.Context, durability string) (rows []row, err error) {
	dir, err := b.project(ctx, durability)
	if err != nil {
		return nil, err
	}
	if _, err := (program{path: b.host, args: []string{dir}}).spend(); err != nil {
		return nil, err
	}
	p, err := weft.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	host := program{path: b.host}
	s, err := compare(ctx, b.rounds, 20,
		func() (float64, error) {
			// Meanwhile the process for the next call gets ready.
			if _, err := host.spend(); err != nil {
				return 0, err
			}
			return dispatched(ctx, p)
		},
		host.reachesInit,
	)
	if err != nil {
		return nil, err
	}
	// For xargs each line is a start, without an argument.
	bare := program{path: "xargs", args: []string{"-P2", "-I{}", b.host}, stdin: strings.Repeat("x\n", functionCalls)}
	r, err := compare(ctx, b.rounds, 1,
		func() (float64, error) {
			return rate(functionCalls, func() error {
				return callAll(ctx, p, "host.nothing", taskspec.IsolationProcess, clients, functionCalls)
			})
		},
		bare.rate(functionCalls),
	)
	if err != nil {
		return nil, err
	}
	return []row{
		newRow("call of a function: from its dispatch, before the commit, to its first line, "+durability, "ms", s[0], s[1],
			"bare start of its program, until Init returns", target{}),
		newRow("500 calls of functions, a process each, "+durability, "/s", r[0], r[1],
			"`xargs -P2` with their program", atLeast(0.8)),
	}, nil
}

// dispatched calls a function and returns the milliseconds from when the manager
// decided to begin its task to its first line.
func dispatched(ctx context.Context, p *weft.Project) (float64, error) {
	res, err := p.RunContext(ctx, weft.Function(entry))
	if err != nil {
		return 0, err
	}
	entered, err := moment(res.Output)
	return milliseconds(entered.Sub(res.Started)), err
}

// reachesInit starts the host and returns the milliseconds until its Init has
// returned.
func (p program) reachesInit() (float64, error) {
	begin := time.Now().Round(0) // the time of day, which the host's clock tells
	out, err := p.prints()
	if err != nil {
		return 0, err
	}
	at, err := moment([]byte(out))
	return milliseconds(at.Sub(begin)), err
}

// callAll calls a function that does nothing, and takes the values.
func callAll(ctx context.Context, p *weft.Project, name, isolation string, goroutines, n int) error {
	return spread(goroutines, n, func(int) error {
		spec := weft.Function(name)
		spec.Isolation = isolation
		res, err := p.RunContext(ctx, spec)
		if err == nil && (res.Status != taskspec.StatusCompleted || string(res.Output) != "{}") {
			err = fmt.Errorf("task %s: wrong result: %+v", res.TID, res)
		}
		return err
	})
}

// spread calls do with 0 to n-1, from so many goroutines.
func spread(goroutines, n int, do func(i int) error) error {
	errs := make([]error, goroutines)
	var begun atomic.Int64
	var running sync.WaitGroup
	for g := range goroutines {
		running.Go(func() {
			for i := begun.Add(1); i <= int64(n) && errs[g] == nil; i = begun.Add(1) {
				errs[g] = do(int(i) - 1)
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one is enough: they mostly have one reason
		}
	}
	return nil
}
