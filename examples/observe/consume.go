package observe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"weft/broker"
)

// A Selection says which messages [Consume] takes and how. The zero value takes all.
type Selection struct {
	// Accept selects messages. It is called again for a message when the queue is scanned
	// again, and should return the same then.
	Accept Filter
	// MoveTo is the queue into which accepted messages are moved, in one step with taking
	// them; "" takes them for good. A consumer that acknowledges moves them to a queue of
	// its own; see [broker.Reservation].
	MoveTo string
}

// Consume yields the accepted messages of a queue as they arrive, until ctx ends or the
// caller stops. It leaves the others in their order. Each message has been taken or moved,
// durably, before it is yielded, so that only one of several consumers gets it, and
// stopping early loses nothing.
//
// It continues from the last message and does not read again what it has left, except for
// messages put back under old ids. To find them it scans the whole queue again when it is
// notified, but spends at most one part in 200 of the time on that. Such a message is found
// after about a second if little is left in the queue, and after about a minute if there
// are 100,000 messages.
//
// When ctx ends, the last pair carries its error. Other errors wrap [broker.ErrName],
// [broker.ErrView] or [broker.ErrSameQueue].
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
			if err := c.scan(ctx, yield); err != nil {
				if err != errStopped {
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

// A consumer is a running Consume.
type consumer struct {
	q        *broker.Queue
	s        Selection
	after    broker.ID // all messages up to here have been decided about
	nextScan time.Time // when to scan from the beginning again
}

// errStopped means that the caller has stopped.
var errStopped = errors.New("stopped")

// scan decides about new messages, or, if it is time, about all.
func (c *consumer) scan(ctx context.Context, yield func(broker.Message, error) bool) error {
	began := time.Now()
	whole := !began.Before(c.nextScan)
	if whole {
		c.after = 0
	}
	var callerTime time.Duration // the time spent by the caller does not count
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
			return errStopped
		}
		callerTime += time.Since(left)
	}
	if whole {
		c.nextScan = time.Now().Add(scanPause(time.Since(began) - callerTime))
	}
	return nil
}

// scanPause returns how long not to scan a queue again, given the duration of the last
// scan.
func scanPause(took time.Duration) time.Duration {
	const times = 200 // at most 0.5 % of a processor
	return times * took
}

// take takes or moves m. It returns false if another consumer has taken it before.
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
