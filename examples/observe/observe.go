package observe

import (
	"context"
	"iter"

	"weft/broker"
)

// Observe yields the messages of q that keep accepts, each once and in id order, and takes
// none: first those that are there with an id greater than after, then those that arrive,
// until ctx ends or the caller stops. An after of 0 starts with the oldest message,
// [broker.Info.LastID] with the next one that is written. A nil keep accepts all.
//
// A message that a reader takes before Observe has read it is missed. When ctx ends, the
// last pair carries its error; other errors are those of [broker.Queue.Watch].
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
