package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
)

// durabilities are measured both, the default first.
var durabilities = []string{"full", "normal"}

// chunk is how many operations of one goroutine are timed at once: some 50 ms,
// in which the log is written back to the database a few times.
func chunk(durability string) int {
	if durability == "full" {
		return 300
	}
	return 1000
}

// A pair is a store of Weft's and a bare one, both empty.
type pair struct {
	dir   string
	weft  *broker.Broker
	queue *broker.Queue
	bare  *bare
}

func (b *bench) pair(durability string) (*pair, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	p := &pair{dir: dir}
	if p.weft, err = sqlite.Open(dir, sqlite.Options{Durability: sqlite.ParseDurability(durability)}); err != nil {
		return nil, err
	}
	p.queue = p.weft.Queue(queueName)
	if p.bare, err = newBare(dir, durability); err != nil {
		return nil, errors.Join(err, p.weft.Close())
	}
	return p, nil
}

func (p *pair) close() error { return errors.Join(p.weft.Close(), p.bare.close()) }

// rate times n operations and returns operations per second.
func rate(n int, do func() error) (float64, error) {
	begin := time.Now()
	err := do()
	return float64(n) / time.Since(begin).Seconds(), err
}

// each calls do for each body.
func each(bodies []string, do func(string) error) func() error {
	return func() error {
		for _, body := range bodies {
			if err := do(body); err != nil {
				return err
			}
		}
		return nil
	}
}

// queueWrite measures single writes of one goroutine.
func queueWrite(ctx context.Context, b *bench) (rows []row, err error) {
	targets := map[string]target{"full": atLeast(0.8), "normal": atLeast(0.6)}
	for _, durability := range durabilities {
		p, err := b.pair(durability)
		if err != nil {
			return nil, err
		}
		all := bodies(chunk(durability))
		s, err := compare(ctx, b.rounds, 6,
			func() (float64, error) {
				return rate(len(all), each(all, func(body string) error {
					_, err := p.queue.Write(ctx, body)
					return err
				}))
			},
			func() (float64, error) { return rate(len(all), each(all, p.bare.write)) },
		)
		if err = errors.Join(err, p.close()); err != nil {
			return nil, err
		}
		rows = append(rows, newRow("single write, "+durability, "/s", s[0], s[1], driver, targets[durability]))
	}
	return rows, nil
}

// driver is what the floor of queue operations is called.
const driver = "driver's prepared statement"

// queueRead measures single reads of one goroutine: each takes the oldest
// message of a queue that has been filled before.
func queueRead(ctx context.Context, b *bench) (rows []row, err error) {
	for _, durability := range durabilities {
		p, err := b.pair(durability)
		if err != nil {
			return nil, err
		}
		all := bodies(chunk(durability))
		s, err := compare(ctx, b.rounds, 6,
			func() (float64, error) { return p.readAll(ctx, all) },
			func() (float64, error) {
				if err := p.bare.writeAll(all); err != nil {
					return 0, err
				}
				return rate(len(all), each(all, func(body string) error {
					got, err := p.bare.read()
					return same(got, body, err)
				}))
			},
		)
		if err = errors.Join(err, p.close()); err != nil {
			return nil, err
		}
		rows = append(rows, newRow("single read, "+durability, "/s", s[0], s[1], driver, atLeast(0.8)))
	}
	return rows, nil
}

// readAll writes the messages and times how they are read, one at a time. The
// queue may hold the same messages from before, all of them or none.
func (p *pair) readAll(ctx context.Context, all []string) (float64, error) {
	if _, err := p.queue.WriteAll(ctx, all); err != nil {
		return 0, err
	}
	return rate(len(all), each(all, func(body string) error {
		m, err := p.queue.Read(ctx)
		return same(m.Body, body, err)
	}))
}

// same fails unless the right message was read.
func same(got, want string, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("read %q, want %q", got, want)
	}
	return err
}

// queueBatch measures messages that are written a hundred at a time, against
// the driver and against messages that are written one at a time.
func queueBatch(ctx context.Context, b *bench) (rows []row, err error) {
	const batches, size = 20, 100
	for _, durability := range durabilities {
		p, err := b.pair(durability)
		if err != nil {
			return nil, err
		}
		all := bodies(size)
		repeat := func(do func() error) (float64, error) {
			return rate(batches*size, func() error {
				for range batches {
					if err := do(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		s, err := compare(ctx, b.rounds, 6,
			func() (float64, error) {
				return repeat(func() error {
					_, err := p.queue.WriteAll(ctx, all)
					return err
				})
			},
			func() (float64, error) { return repeat(func() error { return p.bare.writeAll(all) }) },
			func() (float64, error) {
				return rate(2*size, func() error { return p.together(ctx, 1, bodies(2*size)) })
			},
		)
		if err = errors.Join(err, p.close()); err != nil {
			return nil, err
		}
		name := "write in batches of 100, messages, " + durability
		rows = append(rows,
			newRow(name, "/s", s[0], s[1], driver+" in one transaction", target{}),
			newRow(name, "/s", s[0], s[2], "single writes", atLeast(4)))
	}
	return rows, nil
}

// queueGoroutines measures what many goroutines write together against one of
// them.
func queueGoroutines(ctx context.Context, b *bench) (rows []row, err error) {
	eight := map[string]target{"full": atLeast(2.5), "normal": atLeast(1.8)}
	for _, durability := range durabilities {
		p, err := b.pair(durability)
		if err != nil {
			return nil, err
		}
		by := func(goroutines, each int) side {
			return func() (float64, error) {
				return rate(goroutines*each, func() error { return p.together(ctx, goroutines, bodies(each)) })
			}
		}
		n := chunk(durability)
		s, err := compare(ctx, b.rounds, 4, by(1, n), by(8, n/2), by(64, n/4))
		if err == nil {
			err = complete(ctx, p.dir, (b.rounds+1)*4*(n+8*(n/2)+64*(n/4)))
		}
		if err = errors.Join(err, p.close()); err != nil {
			return nil, err
		}
		goal := target{}
		if durability == "full" {
			goal = atLeast(8)
		}
		rows = append(rows,
			newRow("8 goroutines write, "+durability, "/s", s[1], s[0], "one goroutine", eight[durability]),
			newRow("64 goroutines write, "+durability, "/s", s[2], s[0], "one goroutine", goal))
	}
	return rows, nil
}

// together lets each of n goroutines write the bodies.
func (p *pair) together(ctx context.Context, n int, bodies []string) error {
	errs := make([]error, n)
	var writing sync.WaitGroup
	for i := range n {
		writing.Go(func() {
			errs[i] = each(bodies, func(body string) error {
				_, err := p.queue.Write(ctx, body)
				return err
			})()
		})
	}
	writing.Wait()
	return errors.Join(errs...)
}
