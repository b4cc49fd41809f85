package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"

	"weft"
	"weft/taskspec"
)

// How the batch is submitted: tasks in all, by so many goroutines, each of which
// runs one task after another. They are more than the tasks that run at once, so
// that there is always a request waiting.
const (
	batchTasks = 2000
	clients    = 32
)

// batch measures many short tasks through the Go API against xargs, which starts
// the same processes and remembers nothing.
func batch(durability string) func(context.Context, *bench) ([]row, error) {
	return func(ctx context.Context, b *bench) (rows []row, err error) {
		dir, err := b.project(ctx, durability)
		if err != nil {
			return nil, err
		}
		if b.profile != "" {
			h, err := help(ctx, "manager", dir, b.profile+"."+durability)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, h.close()) }()
			var ready bool
			if err := errors.Join(h.request(1), h.answer(&ready)); err != nil {
				return nil, err
			}
		}
		p, err := weft.Open(dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		xargs := program{path: "xargs", args: []string{"-P2", "-n1", "/bin/true"}, stdin: strings.Repeat("x\n", batchTasks)}
		s, err := compare(ctx, b.rounds, 1,
			func() (float64, error) { return rate(batchTasks, func() error { return runAll(ctx, p) }) },
			xargs.rate(batchTasks),
		)
		if err != nil {
			return nil, err
		}
		goal := atLeast(0.7)
		if durability == "normal" {
			goal = atLeast(0.85)
		}
		return []row{newRow("2,000 `/bin/true` through the Go API, "+durability, "/s", s[0], s[1], "`xargs -P2 -n1 /bin/true`", goal)}, nil
	}
}

// rate measures a program that does n things, in things per second.
func (p program) rate(n int) side {
	return func() (float64, error) {
		ms, err := p.spend()
		return float64(n) / ms * 1000, err
	}
}

// runAll runs the tasks and takes their results.
func runAll(ctx context.Context, p *weft.Project) error {
	errs := make([]error, clients)
	tids := make([][]string, clients)
	var begun atomic.Int64
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for begun.Add(1) <= batchTasks {
				res, err := p.RunContext(ctx, weft.Command("/bin/true"))
				if err == nil {
					err = right(res)
				}
				if err != nil {
					errs[i] = err
					return
				}
				tids[i] = append(tids[i], res.TID)
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one is enough: they mostly have one reason
		}
	}
	return distinct(tids)
}

// right fails unless the result is that of /bin/true.
func right(res *weft.Result) error {
	if res.Status != taskspec.StatusCompleted || res.ReturnCode == nil || *res.ReturnCode != 0 || len(res.Output) > 0 {
		return fmt.Errorf("task %s: wrong result: %+v", res.TID, res)
	}
	return nil
}

// distinct fails unless there are as many tasks as there should be.
func distinct(tids [][]string) error {
	seen := make(map[string]bool)
	for _, some := range tids {
		for _, tid := range some {
			seen[tid] = true
		}
	}
	if len(seen) != batchTasks {
		return fmt.Errorf("%d different tasks ran, want %d", len(seen), batchTasks)
	}
	return nil
}

// beManager is a manager whose CPU profile is written to a file when it ends. It
// answers once it works.
func beManager(args []string) (part, io.Closer, error) {
	p, err := weft.Open(args[0])
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Create(args[1])
	if err != nil {
		return nil, nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, nil, err
	}
	ready, stop, served := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		served <- p.Serve(context.Background(), weft.ServeOptions{
			Ready: func() { once.Do(func() { close(ready) }) },
			Stop:  stop,
		})
	}()
	act := func(int) (any, error) {
		select {
		case <-ready:
			return true, nil
		case err := <-served:
			served <- err
			return nil, err
		}
	}
	return act, closer(func() error {
		close(stop)
		err := <-served
		pprof.StopCPUProfile()
		return errors.Join(err, f.Close(), p.Close())
	}), nil
}
