package broker

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// A waiter polls after MinPoll without a notification, then at growing intervals up to
// MaxPoll. A writer that crashes may not notify; one to five seconds keep that bearable and
// an idle waiter idle.
const (
	MinPoll = time.Second
	MaxPoll = 5 * time.Second
)

// A Waiter sleeps until a queue may have changed. Subscribe, then read, then Wait: no
// change after the subscription is missed. It belongs to one goroutine.
type Waiter struct {
	listener Listener
	poll     time.Duration // until the next poll
	minPoll  time.Duration // after a notification
	maxPoll  time.Duration // at most
}

// Notify notifies the waiters of the queues, in every process, although no message may have
// arrived: for other state that they read. Waiters make up for a lost notification by
// polling. Inside a transaction use [Tx.Notify].
func (b *Broker) Notify(queues ...string) { notify(b.backend, queues...) }

// Listen returns a Waiter for the queues. The caller closes it.
func (b *Broker) Listen(queues ...string) (*Waiter, error) {
	l, err := b.backend.Listen(queues...)
	if err != nil {
		return nil, fmt.Errorf("listen to queues: %w", err)
	}
	return &Waiter{listener: l, poll: MinPoll, minPoll: MinPoll, maxPoll: MaxPoll}, nil
}

// Wait returns nil when it is time to read: after a notification, or after the poll
// interval (1 s, growing to 5 s without notifications). It returns ctx's error when ctx
// ends.
func (w *Waiter) Wait(ctx context.Context) error { return w.wait(ctx, w.poll) }

// wait is Wait for at most d.
func (w *Waiter) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.listener.C():
		w.poll = w.minPoll
		return nil
	case <-timer.C:
		w.poll = min(2*w.poll, w.maxPoll)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// C receives a value after a notification, for callers that select over several events and
// poll themselves.
func (w *Waiter) C() <-chan struct{} { return w.listener.C() }

// Add subscribes to more queues. It may be called while another goroutine is in Wait.
func (w *Waiter) Add(queues ...string) error { return w.listener.Add(queues...) }

// Remove ends the subscription to queues.
func (w *Waiter) Remove(queues ...string) { w.listener.Remove(queues...) }

// Close ends all subscriptions.
func (w *Waiter) Close() { w.listener.Close() }

// Wait returns nil once the queue holds a message, which another reader may take first. It
// returns ctx's error when ctx ends.
func (q *Queue) Wait(ctx context.Context) error {
	if err := CheckName(q.name); err != nil {
		return wrap(q.name, "wait for", err)
	}
	w, err := q.b.Listen(q.name)
	if err != nil {
		return wrap(q.name, "wait for", err)
	}
	defer w.Close()
	for {
		ms, err := peek(ctx, q, Select{Limit: 1})
		if err != nil {
			return wrap(q.name, "wait for", err)
		}
		if len(ms) > 0 {
			return nil
		}
		if err := w.Wait(ctx); err != nil {
			return err
		}
	}
}

// WatchOptions says what [Queue.Watch] does with the messages. The zero value takes every
// message from the oldest on.
type WatchOptions struct {
	Peek   bool   // do not take the messages; each is yielded once, in id order
	MoveTo string // move the messages into this queue instead of taking them
	After  ID     // only messages with a greater id
	Limit  int    // end after this many; 0 = never
	// Look is the poll interval, in case a notification is lost; 0 means 1 s, growing to 5
	// s.
	PollInterval time.Duration
}

// Watch yields messages as they arrive, until ctx ends or the caller stops. A message is
// taken or moved, durably, before it is yielded, one at a time: stopping early loses
// nothing. When ctx ends, the last pair carries its error.
func (q *Queue) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if o.MoveTo != "" {
			if err := checkMove(q.b, q.name, o.MoveTo); err != nil {
				yield(Message{}, wrap(q.name, "watch", err))
				return
			}
		}
		w, err := q.b.Listen(q.name)
		if err != nil {
			yield(Message{}, wrap(q.name, "watch", err))
			return
		}
		defer w.Close()
		if o.PollInterval > 0 {
			w.poll, w.minPoll, w.maxPoll = o.PollInterval, o.PollInterval, o.PollInterval
		}
		seen := 0
		for {
			ms, err := next(ctx, q, o)
			if err != nil {
				yield(Message{}, wrap(q.name, "watch", err))
				return
			}
			for _, m := range ms {
				seen++
				if !yield(m, nil) || seen == o.Limit {
					return
				}
				if o.Peek {
					o.After = m.ID
					if ctx.Err() != nil {
						break // the rest of the page is still in the queue
					}
				}
			}
			if len(ms) > 0 {
				continue
			}
			if err := w.Wait(ctx); err != nil {
				yield(Message{}, err)
				return
			}
		}
	}
}

// next fetches what Watch yields next. Only peeking fetches a page: messages that are taken
// or moved must not be lost when the caller stops.
func next(ctx context.Context, q *Queue, o WatchOptions) ([]Message, error) {
	switch {
	case o.Peek:
		return peek(ctx, q, Select{After: o.After, Limit: page})
	case o.MoveTo != "":
		return move(ctx, q, o.MoveTo, Select{After: o.After, Limit: 1})
	default:
		return take(ctx, q, Select{After: o.After, Limit: 1})
	}
}
