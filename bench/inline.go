package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// nothing is the function of this program that does nothing.
const nothing = "bench.nothing"

func doNothing(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }

// inlineCalls is how many calls are made at a time, and inlineWorkers by how many
// goroutines. As many functions run at once: it is the default of Serve.
const (
	inlineCalls   = 2000
	inlineWorkers = 64
)

// inline measures calls of functions that run inside this program, against what
// no durable call can do without: as many goroutines that write a request to a
// queue, take one, write an answer, and take one, whose transactions are
// committed together as ours are.
func inline(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		some, err := b.inline(ctx, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some)
	}
	return rows, nil
}

func (b *bench) inline(ctx context.Context, durability string) (r row, err error) {
	s, err := b.serving(ctx, durability)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	floor, err := b.pair(durability)
	if err != nil {
		return row{}, err
	}
	defer func() { err = errors.Join(err, floor.close()) }()
	m, err := compare(ctx, b.rounds, 3,
		func() (float64, error) {
			return rate(inlineCalls, func() error {
				return callAll(ctx, s.project, nothing, taskspec.IsolationInline, inlineWorkers, inlineCalls)
			})
		},
		func() (float64, error) {
			return rate(inlineCalls, func() error { return roundTrips(ctx, floor.weft) })
		},
	)
	if err != nil {
		return row{}, err
	}
	return newRow("2,000 calls of functions, inline, "+durability, "/s", m[0], m[1],
		"request and answer through queues", atLeast(0.5)), nil
}

// roundTrips sends requests and answers through two queues. Who takes a message
// has written one before, so nobody waits for another one.
func roundTrips(ctx context.Context, store *broker.Broker) error {
	requests, answers := store.Queue("requests"), store.Queue("answers")
	return spread(inlineWorkers, inlineCalls, func(int) error {
		for _, q := range []*broker.Queue{requests, answers} {
			if _, err := q.Write(ctx, "{}"); err != nil {
				return err
			}
			if m, err := q.Read(ctx); err != nil || m.Body != "{}" {
				return errors.Join(err, fmt.Errorf("read %q from %s", m.Body, q.Name()))
			}
		}
		return nil
	})
}

// A served project has this program as its manager.
type served struct {
	project *weft.Project
	stop    chan struct{}
	ended   chan error
}

// serving makes a project and serves it. The caller closes it.
func (b *bench) serving(ctx context.Context, durability string) (*served, error) {
	dir, err := b.project(ctx, durability)
	if err != nil {
		return nil, err
	}
	p, err := weft.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &served{project: p, stop: make(chan struct{}), ended: make(chan error, 1)}
	ready := make(chan struct{})
	o := weft.ServeOptions{Stop: s.stop, Ready: sync.OnceFunc(func() { close(ready) })}
	go func() { s.ended <- p.Serve(ctx, o) }()
	select {
	case <-ready:
		return s, nil
	case err := <-s.ended:
		return nil, errors.Join(err, p.Close())
	}
}

func (s *served) close() error {
	close(s.stop)
	return errors.Join(<-s.ended, s.project.Close())
}
