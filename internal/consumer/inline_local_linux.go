package consumer

import (
	"context"
	"sync/atomic"

	"weft/internal/ledger"
)

// A LocalRun is a task that runs in the program that submitted it.
type LocalRun struct {
	task   *ledger.Task
	over   <-chan struct{} // closed when the server no longer reports ends
	result atomic.Int32    // its place, one of those below

	ended    chan struct{} // closed when the fields below are set
	recorded *ledger.Task
	value    []byte // the result, if it is handed to the caller of Take
}

// The places of a result.
const (
	resultStored int32 = iota // in the store, or will be; no caller waits to take it
	resultWanted              // a caller of Take waits for it
	resultHanded              // recorded as taken, and kept in the LocalRun
	resultTaken               // returned by Take
)

// Task returns the task as it was started.
func (r *LocalRun) Task() *ledger.Task { return r.task }

// wantsResult reports whether the result is to be handed over, because a caller of Take
// waits for it.
func (r *LocalRun) wantsResult() bool {
	return r != nil && r.result.CompareAndSwap(resultWanted, resultHanded)
}

// end sets how the task ended. It keeps value, the result, only to hand it over: it may be
// large, and a LocalRun lives as long as its task is referenced.
func (r *LocalRun) end(t *ledger.Task, value []byte) {
	if r == nil {
		return
	}
	r.recorded = t
	if r.result.Load() == resultHanded {
		r.value = value
	}
	close(r.ended)
}

// Wait waits for the end of the task and returns the recorded task, which other callers may
// get as well. It returns nil if the store must be asked: ctx or the server has ended, or
// another attempt follows.
func (r *LocalRun) Wait(ctx context.Context) *ledger.Task {
	select {
	case <-r.ended:
	case <-r.over:
	case <-ctx.Done():
	}
	select {
	case <-r.ended: // takes precedence over the other two
		if r.recorded != nil && r.recorded.Status.Terminal() {
			return r.recorded
		}
	default:
	}
	return nil
}

// Take waits as Wait does, and takes the result if that is possible; if not, taken is
// false, and the result may be in the store.
func (r *LocalRun) Take(ctx context.Context) (t *ledger.Task, value []byte, taken bool) {
	r.result.CompareAndSwap(resultStored, resultWanted)
	t = r.Wait(ctx)
	if t == nil && !r.result.CompareAndSwap(resultWanted, resultStored) && r.result.Load() == resultHanded {
		// ctx ended while the result was being handed over.
		t = r.Wait(context.Background())
	}
	if t == nil || !r.result.CompareAndSwap(resultHanded, resultTaken) {
		return t, nil, false
	}
	value, r.value = r.value, nil
	return t, value, true
}
