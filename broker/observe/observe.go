package observe

import (
	"context"
	"iter"

	"weft/broker"
)

// Observe yields the messages of q that keep wants, each once and in id order,
// and takes none: first those that are there with an id greater than after,
// then what comes, until ctx ends or the caller breaks off. An after of 0
// begins with the oldest message, [broker.Info.LastID] with the next one that
// is written. nil keeps all.
//
// A message that somebody takes before Observe has looked is not seen. When ctx
// ends, the last pair carries its error; other errors are those of
// [broker.Queue.Watch].
func Observe(ctx context.Context, q *broker.Queue, after broker.ID, keep Filter) iter.Seq2[broker.Message, error] {
	return func(yield func(broker.Message, error) bool) {
		for m, err := range q.Watch(ctx, broker.WatchOptions{Peek: true, After: after}) {
			if err == nil && !keep.wants(m) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
