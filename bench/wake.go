package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/broker/sqlite"
)

// wake measures how long it takes from before a message is written in this
// process until another process has taken it: with Weft, which waits for a bell,
// and with a process that polls every millisecond.
func wake(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		some, err := wakeUps(ctx, b, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func wakeUps(ctx context.Context, b *bench, durability string) (rows []row, err error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.ParseDurability(durability)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	plain, err := newBare(dir, durability)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.close()) }()
	taker, err := help(ctx, "taker", dir, durability)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, taker.close()) }()
	poller, err := help(ctx, "poller", dir, durability)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, poller.close()) }()

	const messages = 50
	var rung, polled []float64
	queue := store.Queue(queueName)
	s, err := compare(ctx, b.rounds, 3,
		func() (float64, error) {
			return latency(taker, messages, &rung, func(body string) error {
				_, err := queue.Write(ctx, body)
				return err
			})
		},
		func() (float64, error) { return latency(poller, messages, &polled, plain.write) },
	)
	if err != nil {
		return nil, err
	}
	goal := target{}
	if durability == "normal" {
		goal = atMost(0.5)
	}
	name := "wake-up between processes, " + durability
	tail := newRow(name+": p99", "ms", samples{percentile(rung, 99)}, samples{percentile(polled, 99)}, "poll every 1 ms", target{})
	return []row{newRow(name+": p50", "ms", s[0], s[1], "poll every 1 ms", goal), tail}, nil
}

// latency writes messages at irregular intervals for a helper that takes them.
// It returns the median time to the taking in ms, and adds all times to all.
func latency(h *helper, messages int, all *[]float64, write func(string) error) (float64, error) {
	// One more: the first may come before the helper listens.
	if err := h.request(messages + 1); err != nil {
		return 0, err
	}
	for range messages + 1 {
		// Not waiting for anything: this is how often something happens.
		time.Sleep(time.Duration(3+10*rand.Float64()) * time.Millisecond)
		now, err := clock()
		if err != nil {
			return 0, err
		}
		if err := write(strconv.FormatInt(int64(now), 10)); err != nil {
			return 0, err
		}
	}
	var took []time.Duration
	if err := h.answer(&took); err != nil {
		return 0, err
	}
	var ms []float64
	for _, t := range took[1:] {
		ms = append(ms, milliseconds(t))
	}
	*all = append(*all, ms...)
	return percentile(ms, 50), nil
}

// clock is a clock that all processes share and nobody sets.
func clock() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// age is how long ago a message was written.
func age(body string) (time.Duration, error) {
	now, err := clock()
	if err != nil {
		return 0, err
	}
	then, err := strconv.ParseInt(body, 10, 64)
	return now - time.Duration(then), err
}

// beTaker is a process that watches the queue and takes n messages.
func beTaker(args []string) (part, io.Closer, error) {
	store, err := sqlite.Open(args[0], sqlite.Options{Durability: sqlite.ParseDurability(args[1])})
	if err != nil {
		return nil, nil, err
	}
	return func(n int) (any, error) {
		var took []time.Duration
		for m, err := range store.Queue(queueName).Watch(context.Background(), broker.WatchOptions{Limit: n}) {
			if err != nil {
				return nil, err
			}
			t, err := age(m.Body)
			if err != nil {
				return nil, err
			}
			took = append(took, t)
		}
		return took, nil
	}, store, nil
}

// bePoller is a process that takes n messages and looks for them every
// millisecond, as cheaply as SQLite allows: it asks for a number that changes
// with every commit of another connection, and only then for a message.
func bePoller(args []string) (part, io.Closer, error) {
	s, err := newBare(args[0], args[1])
	if err != nil {
		return nil, nil, err
	}
	return func(n int) (any, error) {
		var took []time.Duration
		for last := int64(-1); len(took) < n; {
			var version int64
			if err := s.version.QueryRow().Scan(&version); err != nil {
				return nil, err
			}
			if version == last {
				time.Sleep(time.Millisecond) // polling is what is measured
				continue
			}
			last = version
			for len(took) < n {
				body, err := s.read()
				if errors.Is(err, sql.ErrNoRows) {
					break
				}
				if err != nil {
					return nil, err
				}
				t, err := age(body)
				if err != nil {
					return nil, err
				}
				took = append(took, t)
			}
		}
		return took, nil
	}, closer(s.close), nil
}

type closer func() error

func (c closer) Close() error { return c() }
