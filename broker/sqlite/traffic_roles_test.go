package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"weft/broker"
)

// trafficArgs are the arguments of the roles of the traffic: the folder of the
// store, its durability, the file for the account, the number of the process,
// and how long to write.
type trafficArgs struct {
	dir, note, number string
	durability        Durability
	while             time.Duration
}

// takePart opens the store, waits for the beginning, lets n goroutines work,
// and writes down their account.
func takePart(args []string, n int, work func(b *broker.Broker, a trafficArgs, goroutine int) (account, error)) error {
	a := trafficArgs{dir: args[0], durability: ParseDurability(args[1]), note: args[2], number: args[3]}
	var err error
	if a.while, err = time.ParseDuration(args[4]); err != nil {
		return err
	}
	b, err := Open(a.dir, Options{Durability: a.durability})
	if err != nil {
		return err
	}
	say("ready")
	if err := pause(); err != nil {
		return err
	}
	parts, errs := make([]account, n), make([]error, n)
	var working sync.WaitGroup
	for g := range n {
		working.Go(func() { parts[g], errs[g] = work(b, a, g) })
	}
	working.Wait()
	var sum account
	for _, part := range parts {
		sum.add(part)
	}
	text, err := json.Marshal(sum)
	if err == nil {
		err = os.WriteFile(a.note, text, 0o600)
	}
	return errors.Join(append(errs, err, b.Close())...)
}

// produceRole writes messages to "q".
func produceRole(args []string) error {
	return takePart(args, perWriter, func(b *broker.Broker, a trafficArgs, g int) (done account, err error) {
		producer := fmt.Sprint(a.number, ".", g)
		n := 0
		for begin := time.Now(); n == 0 || time.Since(begin) < a.while; n++ {
			wrote := time.Now()
			if _, err := b.Queue("q").Write(context.Background(), fmt.Sprint(producer, " ", n)); err != nil {
				return done, err
			}
			done.wrote(int(time.Since(wrote).Milliseconds()), 1)
		}
		done.Written = map[string]int{producer: n}
		return done, nil
	})
}

// moveRole moves messages from "q" to "r", singly and many at a time.
func moveRole(args []string) error {
	return takeUntilTold(args, "q", func(ctx context.Context, q *broker.Queue, b *broker.Broker, turn int) (ms []broker.Message, err error) {
		if turn%2 == 0 {
			m, err := q.Move(ctx, "r")
			return []broker.Message{m}, err
		}
		err = b.Update(ctx, func(tx *broker.Tx) (err error) {
			ms, err = tx.Move("q", "r", broker.Select{Limit: 20})
			return err
		})
		return ms, err
	}, func(bodies []string) account { return account{Moved: [][]string{bodies}} })
}

// deleteRole deletes messages from "r": it reads them, or peeks first and
// counts as its own what it then finds to delete.
func deleteRole(args []string) error {
	return takeUntilTold(args, "r", func(ctx context.Context, q *broker.Queue, b *broker.Broker, turn int) ([]broker.Message, error) {
		if turn%2 == 0 {
			return q.ReadAll(ctx, broker.Select{Limit: 20})
		}
		m, err := q.Peek(ctx)
		if err != nil {
			return nil, err
		}
		n, err := q.Delete(ctx, broker.Select{ID: m.ID})
		return []broker.Message{m}[:n], err
	}, func(bodies []string) account { return account{Deleted: [][]string{bodies}} })
}

// takeUntilTold calls take in turns, and waits where queue is empty, until the
// parent says that it is enough.
func takeUntilTold(
	args []string, queue string,
	take func(ctx context.Context, q *broker.Queue, b *broker.Broker, turn int) ([]broker.Message, error),
	report func(bodies []string) account,
) error {
	enough, cancel := context.WithCancel(context.Background())
	return takePart(args, perReader, func(b *broker.Broker, a trafficArgs, g int) (account, error) {
		if g == 0 {
			go func() {
				defer cancel() // also if the parent is gone
				_ = pause()
			}()
		}
		var bodies []string
		q := b.Queue(queue)
		for turn := 0; enough.Err() == nil; turn++ {
			ms, err := take(context.Background(), q, b, turn)
			if errors.Is(err, broker.ErrEmpty) {
				if err = q.Wait(enough); errors.Is(err, context.Canceled) {
					err = nil
				}
			} else if err == nil {
				for _, m := range ms {
					bodies = append(bodies, m.Body)
				}
			}
			if err != nil {
				return account{}, err
			}
		}
		return report(bodies), nil
	})
}
