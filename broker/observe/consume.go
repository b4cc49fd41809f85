package observe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"weft/broker"
)

// A Selection says which messages [Consume] takes and how. The zero value takes
// all.
type Selection struct {
	// Accept chooses. It is asked about a message again when the queue is looked
	// through again, and should answer the same then.
	Accept Filter
	// MoveTo is the queue into which accepted messages are put, in one step with
	// taking them; "" takes them for good. A worker that acknowledges moves them
	// to a queue of its own; see [broker.Reservation].
	MoveTo string
}

// Consume yields the messages of a queue that are accepted, as they come, until
// ctx ends or the caller breaks off. The others stay where they are, in their
// order. Each message has been taken or moved, durably, before it is yielded,
// so that of several consumers only one gets it, and breaking off loses
// nothing.
//
// It goes on from where it stood and does not look again at what it has left,
// but for one thing: messages put back under old ids. For them it looks
// through the whole queue again when it is woken, though never for more than
// one part in 200 of the time. Such a message is found after about a second
// where little is left in the queue, and where 100,000 messages are, after about
// a minute.
//
// When ctx ends, the last pair carries its error. Others wrap
// [broker.ErrName], [broker.ErrView] or [broker.ErrSameQueue].
func Consume(ctx context.Context, b *broker.Broker, queue string, s Selection) iter.Seq2[broker.Message, error] {
	return func(yield func(broker.Message, error) bool) {
		w, err := b.Listen(queue)
		if err != nil {
			yield(broker.Message{}, fmt.Errorf("consume %q: %w", queue, err))
			return
		}
		defer w.Close()
		c := consumer{q: b.Queue(queue), s: s}
		for {
			if err := c.look(ctx, yield); err != nil {
				if err != errBroken {
					yield(broker.Message{}, fmt.Errorf("consume: %w", err))
				}
				return
			}
			if err := w.Wait(ctx); err != nil {
				yield(broker.Message{}, err)
				return
			}
		}
	}
}

// A consumer is a Consume under way.
type consumer struct {
	q     *broker.Queue
	s     Selection
	after broker.ID // all up to here has been decided about
	again time.Time // when to look from the beginning again
}

// errBroken says that the caller has broken off.
var errBroken = errors.New("broken off")

// look decides about what is new, or, if it is time, about everything.
func (c *consumer) look(ctx context.Context, yield func(broker.Message, error) bool) error {
	began := time.Now()
	whole := !began.Before(c.again)
	if whole {
		c.after = 0
	}
	var away time.Duration // what the caller did with messages is not our work
	for m, err := range c.q.Messages(ctx, broker.Select{After: c.after}) {
		if err != nil {
			return err
		}
		c.after = m.ID
		if !c.s.Accept.wants(m) {
			continue
		}
		taken, err := c.take(ctx, &m)
		if err != nil {
			return err
		}
		if !taken {
			continue
		}
		left := time.Now()
		if !yield(m, nil) {
			return errBroken
		}
		away += time.Since(left)
	}
	if whole {
		c.again = time.Now().Add(rest(time.Since(began) - away))
	}
	return nil
}

// rest is how long not to look through a queue again that took so long to look
// through.
func rest(took time.Duration) time.Duration {
	const times = 200 // so that it costs at most 0.5 % of a processor
	return times * took
}

// take takes or moves m, and reports false if another has taken it before.
func (c *consumer) take(ctx context.Context, m *broker.Message) (bool, error) {
	this := broker.Select{ID: m.ID}
	if c.s.MoveTo == "" {
		ms, err := c.q.ReadAll(ctx, this)
		return len(ms) > 0, err
	}
	m.Queue = c.s.MoveTo
	n, err := c.q.MoveAll(ctx, c.s.MoveTo, this)
	return n > 0, err
}
