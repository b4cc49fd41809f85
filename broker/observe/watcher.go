package observe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
)

// Mode says what a [Watcher] does with a message that it hands out.
type Mode int

// The modes.
const (
	// Read takes the message before it is handed out: at most once.
	Read Mode = iota
	// Peek leaves the messages and hands out each once for each run, in the
	// order of the queue.
	Peek
	// Reserve puts the message into a queue of the worker's own while it is
	// handled, and deletes it when the handler returns nil: at least once. See
	// [broker.Reservation].
	Reserve
)

// A Verdict says what becomes of a message whose handler has failed.
type Verdict int

// The verdicts.
const (
	// End ends [Watcher.Run] with the handler's error. A reserved message is
	// put back for others; one that was read is gone.
	End Verdict = iota
	// Skip goes on with the next message. A reserved one stays in the worker's
	// own queue, to be looked at, and comes again when the worker is started
	// anew; one that was read is gone.
	Skip
	// Again puts the message back to where it was and hands it out again. Its
	// queue rests for at least 1 s before that, and about 5 s at most where
	// nothing rings; the other queues are served meanwhile.
	Again
)

// pause is how long a queue rests after the verdict [Again]: as long as a
// waiter does after a ring.
const pause = time.Second

// ErrDone is what a handler returns to end [Watcher.Run] without an error. The
// message counts as handled.
var ErrDone = errors.New("done")

// A Watcher hands the messages of several queues to one function, one at a
// time, and so that no queue waits for another to become empty: each one that
// holds messages gives one in turn. Broker is required, and something to watch.
// It may be run again, but not while it runs.
type Watcher struct {
	Broker *broker.Broker
	Queues []string // are watched always, in this order
	// Patterns are watched too, behind Queues. A queue that begins to match
	// is found at the next ring of any other one that is watched, and after 5 s
	// at the latest. Control and the worker's own queues are never meant. All
	// others are, if they match, also those of other workers and, in a project,
	// of Weft and its tasks: see [broker.Pattern.Except].
	Patterns []broker.Pattern
	// Control is a queue that is looked at before each other message, so that
	// what is in it always comes first. Its messages are read in any Mode. ""
	// is none.
	Control string
	Mode    Mode
	// Worker is required to [Reserve]: messages of the queue Q are in the queue
	// "WORKER.Q" while they are handled. No two watchers that live at the same
	// time may have the same.
	Worker string
	// Failed decides when a handler has returned err for m. nil means [End].
	// It is not asked after ctx has ended: a reserved message is put back then.
	Failed func(m broker.Message, err error) Verdict
}

// Run hands out messages until ctx ends, and returns ctx's error, or until
// handle ends it. Queue of a message is the queue it came from, whatever the
// mode. The handler gets ctx and should return soon after it has ended.
//
// In mode Reserve, Run begins by putting back what an earlier run of the same
// worker has left behind.
//
// Errors name the queue and wrap the handler's error, [broker.ErrName],
// [broker.ErrView] or those of the store.
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

// check reports why w cannot be run.
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
	for held, err := range w.Broker.Queues(broker.Prefix(w.held(""))).Names(ctx) {
		if err != nil {
			return err
		}
		queue := held[len(w.held("")):]
		if !w.wants(queue) {
			continue
		}
		if _, err := w.Broker.Queue(queue).Reserve(held).Recover(ctx); err != nil {
			return err
		}
	}
	return nil
}
