package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// WorkOptions are the options of [Queue.Work].
type WorkOptions struct {
	// ReceiveOptions are those of each receive. While a message is worked on, its lease is
	// extended by Lease again and again. With NoWait, Work returns nil when no message is
	// due.
	ReceiveOptions
	// Workers is how many messages are worked on at once at most; 0 means 1.
	Workers int
	// Backoff returns after which delay a message that has been received so often, the last
	// time without success, is due again. nil means 1 s, doubled with each receive, up to
	// 5 min.
	Backoff func(receives int) time.Duration
	// Failed is called, by several goroutines at once, with each error of the function and
	// its message; nil means that nobody wants to know. If the lease was lost, err wraps
	// [ErrLeaseLost].
	Failed func(l *Lease, err error)
}

// backoff is the default of [WorkOptions.Backoff].
func backoff(receives int) time.Duration {
	const most = 5 * time.Minute
	if receives > 10 {
		return most
	}
	return min(time.Second<<max(receives-1, 0), most)
}

// Work receives messages until ctx ends, and calls fn with each, on several goroutines at once.
// If fn returns nil the message is acknowledged, else it is given back for later. If its lease is lost, as
// after a long sleep of the machine, the context that fn was given ends; its cause is
// [ErrLeaseLost]. A lease that fn has ended itself, as by [Tx.Ack], is left alone.
//
// When ctx ends, that of fn does too. Work waits for the calls that run and returns ctx's error; a message
// for which fn then returns an error is due again at once. An error of the store
// ends Work in the same way. If fn panics, its message is received again when its lease ends.
func (q *Queue) Work(ctx context.Context, o WorkOptions, fn func(ctx context.Context, l *Lease) error) error {
	receive, err := o.complete(q.b, q.name)
	if err == nil && o.Workers < 0 {
		err = fmt.Errorf("%d workers: want 0 or more", o.Workers)
	}
	if err != nil {
		return wrap(q.name, "work on", err)
	}
	o.ReceiveOptions = receive
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	if o.Failed == nil {
		o.Failed = func(*Lease, error) {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range max(o.Workers, 1) {
		workers.Go(func() {
			for ctx.Err() == nil {
				l, err := q.Receive(ctx, o.ReceiveOptions)
				if errors.Is(err, ErrEmpty) {
					return
				}
				if err == nil {
					err = l.work(ctx, o, fn)
				}
				if err != nil {
					cancel(err) // only the first counts
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// work calls fn with one message. The error is one of the store.
func (l *Lease) work(ctx context.Context, o WorkOptions, fn func(context.Context, *Lease) error) error {
	failed := l.call(ctx, o.Lease, fn)
	store := context.WithoutCancel(ctx) // what fn has done is recorded
	var err error
	switch {
	case failed == nil:
		err = l.Ack(store)
	case ctx.Err() != nil:
		err = l.Nack(store, 0)
	default:
		err = l.Nack(store, max(o.Backoff(l.Receives), 0))
	}
	if failed != nil {
		o.Failed(l, failed)
	}
	if errors.Is(err, ErrLeaseLost) {
		return nil
	}
	return err
}

// call calls fn, and extends the lease meanwhile.
func (l *Lease) call(ctx context.Context, lease time.Duration, fn func(context.Context, *Lease) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	var extends sync.WaitGroup
	extends.Go(func() {
		// An Extend that fails is tried again twice before the lease ends.
		tick := time.NewTicker(max(lease/3, 1))
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if err := l.Extend(context.WithoutCancel(ctx), lease); errors.Is(err, ErrLeaseLost) {
				cancel(err)
				return
			}
		}
	})
	defer extends.Wait()
	defer close(done)
	err := fn(ctx, l)
	if lost := context.Cause(ctx); err != nil && errors.Is(lost, ErrLeaseLost) && !errors.Is(err, ErrLeaseLost) {
		err = fmt.Errorf("%w: %w", lost, err)
	}
	return err
}
