package manager

import (
	"context"

	"weft/internal/ledger"
	"weft/internal/proc"
)

// Survivors are tasks whose consumers were started by an earlier manager, and tasks of dead
// consumers until their loss is recorded. A live consumer finishes its task without a
// manager; the manager counts it meanwhile, and records the loss if the consumer dies.
type survivors map[task]survivor

// A survivor is the consumer of such a task.
type survivor struct {
	consumer proc.Identity
	slotless bool // its task holds no slot
}

// holders returns how many of them hold a slot.
func (s survivors) holders() (n int) {
	for _, one := range s {
		if !one.slotless {
			n++
		}
	}
	return n
}

// adopt watches a task that an earlier manager left behind.
func (l *loop) adopt(t *ledger.Task) {
	key, consumer, own := task{t.TID, t.Epoch}, t.Consumer, t.Process
	l.pool.survivors[key] = survivor{consumer, t.Slotless}
	l.watch(func(ctx context.Context, _ func(event)) event {
		if consumer.Wait(ctx) != nil {
			return nil // the manager ends first
		}
		sweep(ctx, key, consumer, own)
		return func() error { return l.onLost(key) }
	})
}
