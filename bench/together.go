package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
)

// writers is how many processes write together.
const writers = 4

// written is what a writer says of the messages it has written.
type written struct {
	Took []time.Duration // for each message
	Busy int             // refused because other processes held the store
}

// beWriter is a process that writes as many messages as it is asked for.
func beWriter(args []string) (part, io.Closer, error) {
	w, err := sqlite.Open(args[0], sqlite.Options{Durability: sqlite.ParseDurability(args[1])})
	if err != nil {
		return nil, nil, err
	}
	queue := w.Queue(queueName)
	return func(n int) (any, error) {
		var done written
		for _, body := range bodies(n) {
			begin := time.Now()
			_, err := queue.Write(context.Background(), body)
			switch {
			case errors.Is(err, broker.ErrBusy):
				done.Busy++
			case err != nil:
				return nil, err
			}
			done.Took = append(done.Took, time.Since(begin))
		}
		return done, nil
	}, w, nil
}

// queueProcesses measures processes that write into one queue together against
// one of them. All are there all the time.
func queueProcesses(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		some, err := processes(ctx, b, durability)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func processes(ctx context.Context, b *bench, durability string) (rows []row, err error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	var all []*helper
	defer func() {
		for _, h := range all {
			err = errors.Join(err, h.close())
		}
	}()
	for range writers {
		h, err := help(ctx, "writer", dir, durability)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}

	const turns = 4
	n := 2 * chunk(durability)
	var took []float64
	busy := 0
	s, err := compare(ctx, b.rounds, turns,
		func() (float64, error) {
			return rate(n, func() error {
				_, err := write(all[:1], n)
				return err
			})
		},
		func() (float64, error) {
			return rate(writers*n, func() error {
				done, err := write(all, n)
				for _, d := range done {
					busy += d.Busy
					for _, t := range d.Took {
						took = append(took, milliseconds(t))
					}
				}
				return err
			})
		},
	)
	if err != nil {
		return nil, err
	}
	if err := complete(ctx, dir, (b.rounds+1)*turns*(1+writers)*n-busy); err != nil {
		return nil, err
	}
	name := "4 processes write together, " + durability
	return []row{
		newRow(name, "/s", s[1], s[0], "one process", atLeast(0.85)),
		numberRow(name+": p99.9", "ms", percentile(took, 99.9), numberAtMost(50)),
		numberRow(name+": busy errors", "", float64(busy), numberAtMost(0)),
	}, nil
}

// complete fails unless the queue of the store in dir holds n messages.
func complete(ctx context.Context, dir string, n int) error {
	store, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	st, err := store.Queue(queueName).Stats(ctx)
	if err == nil && st.Pending != n {
		err = fmt.Errorf("queue holds %d messages, want %d", st.Pending, n)
	}
	return errors.Join(err, store.Close())
}

// write lets each of the helpers write n messages at the same time.
func write(all []*helper, n int) ([]written, error) {
	for _, h := range all {
		if err := h.request(n); err != nil {
			return nil, err
		}
	}
	done := make([]written, len(all))
	for i, h := range all {
		if err := h.answer(&done[i]); err != nil {
			return nil, err
		}
	}
	return done, nil
}
