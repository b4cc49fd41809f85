package observe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
)

// Mode says what a [Watcher] does with a message that it delivers.
type Mode int

// The modes.
const (
	// Read takes the message before it is delivered: at most once.
	Read Mode = iota
	// Peek leaves the messages in the queue and delivers each once a run, in the order of
	// the queue.
	Peek
	// Reserve moves the message into a queue of the worker's own while it is handled, and
	// deletes it when the handler returns nil: at least once. See [broker.Reservation].
	Reserve
)

// A Verdict says what becomes of a message whose handler has failed.
type Verdict int

// The verdicts.
const (
	// End ends [Watcher.Run] with the handler's error. A reserved message is put back for
	// others; one that was read is lost.
	End Verdict = iota
	// Skip continues with the next message. A reserved one stays in the worker's own queue,
	// for inspection, and is delivered again when the worker is restarted; one that was
	// read is lost.
	Skip
	// Again puts the message back and delivers it again. Its queue is not served for at
	// least 1 s before that, and for about 5 s at most without notifications; the other
	// queues are served meanwhile.
	Again
)

// pause is how long a queue is not served after the verdict [Again]: the interval at which
// a waiter polls after a notification.
const pause = time.Second

// ErrDone is returned by a handler to end [Watcher.Run] without an error. The message
// counts as handled.
var ErrDone = errors.New("done")

// A Watcher passes the messages of several queues to one function, one at a time, and in
// turn, so that no queue waits for another to become empty. Broker is required, and at
// least one queue. It may be run again, but not while it runs.
type Watcher struct {
	Broker *broker.Broker
	Queues []string // always watched, in this order
	// Patterns are watched too, after Queues. A new queue that matches is found at the next
	// notification of any other watched queue, and after 5 s at the latest. Control and the
	// worker's own queues never match. All other queues do, also those of other workers
	// and, in a project, those of Weft and its tasks: see [broker.Pattern.Except].
	Patterns []broker.Pattern
	// Control is a queue that is read before each other message, so that its messages
	// always come first. They are read in any Mode. "" means none.
	Control string
	Mode    Mode
	// Worker is required for [Reserve]: messages of the queue Q are in the queue "WORKER.Q"
	// while they are handled. No two watchers that run at the same time may have the same.
	Worker string
	// Failed decides when a handler has returned err for m. nil means [End]. It is not
	// called after ctx has ended: a reserved message is put back then.
	Failed func(m broker.Message, err error) Verdict
}

// Run delivers messages until ctx ends, and returns ctx's error, or until handle ends it.
// Queue of a message is the queue it came from, whatever the mode. The handler gets ctx and
// should return soon after it has ended.
//
// In mode Reserve, Run first puts back what an earlier run of the same worker has left
// reserved.
//
// Errors name the queue and wrap the handler's error, [broker.ErrName], [broker.ErrView] or
// those of the store.
func (w *Watcher) Run(ctx context.Context, handle func(context.Context, broker.Message) error) error {
	err := w.check()
	if err == nil && w.Mode == Reserve {
		err = w.reclaim(ctx)
	}
	if err == nil {
		err = w.watch(ctx, handle)
	}
	switch {
	case err == nil || errors.Is(err, ErrDone):
		return nil
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || err == context.Cause(ctx)):
		return context.Cause(ctx)
	}
	return fmt.Errorf("watch: %w", err)
}

// check returns an error if w cannot be run.
func (w *Watcher) check() error {
	if len(w.Queues) == 0 && len(w.Patterns) == 0 && w.Control == "" {
		return errors.New("no queues are named")
	}
	if w.Mode < Read || w.Mode > Reserve {
		return fmt.Errorf("mode %d is none of Read, Peek, Reserve", w.Mode)
	}
	if w.Mode == Reserve {
		if err := broker.CheckName(w.Worker); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	return nil
}

func (w *Watcher) watch(ctx context.Context, handle func(context.Context, broker.Message) error) error {
	var names []string
	if w.Control != "" {
		names = append(names, w.Control)
	}
	waiter, err := w.Broker.Listen(names...)
	if err != nil {
		return err
	}
	defer waiter.Close()
	r := &round{w: w, handle: handle, waiter: waiter, control: w.source(w.Control)}
	for {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		if err := r.serve(ctx); err != nil {
			return err
		}
		if err := waiter.Wait(ctx); err != nil {
			return err
		}
	}
}

// reclaim puts back what an earlier run has left reserved.
func (w *Watcher) reclaim(ctx context.Context) error {
	for reserved, err := range w.Broker.Queues(broker.Prefix(w.reserved(""))).Names(ctx) {
		if err != nil {
			return err
		}
		queue := reserved[len(w.reserved("")):]
		if !w.wants(queue) {
			continue
		}
		if _, err := w.Broker.Queue(queue).Reserve(reserved).Recover(ctx); err != nil {
			return err
		}
	}
	return nil
}
