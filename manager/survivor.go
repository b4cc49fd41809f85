package manager

import (
	"context"

	"weft/internal/ledger"
	"weft/internal/proc"
)

// A survivor is a task whose consumer was started by an earlier manager. The
// consumer finishes it alone; this manager counts it, and records its loss if
// the consumer dies.
type survivor struct {
	consumer proc.Identity
	process  proc.Identity
}

// adopt watches a task that an earlier manager left behind.
func (l *loop) adopt(t *ledger.Task) {
	key := task{t.TID, t.Epoch}
	s := &survivor{consumer: t.Consumer, process: t.Process}
	l.pool.survivors[key] = s
	l.watch(func(ctx context.Context, _ func(event)) event {
		if s.consumer.Wait(ctx) != nil {
			return nil // the manager ends first
		}
		sweep(ctx, key, s.consumer, s.process)
		return lost{key}
	})
}
