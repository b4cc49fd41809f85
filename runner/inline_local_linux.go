package runner

import (
	"context"
	"sync/atomic"

	"weft/internal/ledger"
)

// A LocalRun is a task that was begun by who submitted it.
type LocalRun struct {
	task   *ledger.Task
	over   <-chan struct{} // nobody will say any more how it ended
	result atomic.Int32    // where it is: see below

	ended    chan struct{} // closed when what follows may be read
	recorded *ledger.Task
	value    []byte // the result, if it is handed over
}

// The places of a result.
const (
	resultStored int32 = iota // or will be, and nobody waits to take it
	resultWanted              // somebody waits to take it
	resultHanded              // it is recorded as taken, and is in the visit
	resultTaken               // from there
)

// Task is the task as it was begun.
func (v *LocalRun) Task() *ledger.Task { return v.task }

// wantsResult reports whether the result is to be handed over: somebody waits to take it,
// and gets it when the task has ended.
func (v *LocalRun) wantsResult() bool {
	return v != nil && v.result.CompareAndSwap(resultWanted, resultHanded)
}

// end says how the task ended. value is its result, which is kept only to be handed
// over: it may be large, and the visit lives as long as somebody has the task.
func (v *LocalRun) end(t *ledger.Task, value []byte) {
	if v == nil {
		return
	}
	v.recorded = t
	if v.result.Load() == resultHanded {
		v.value = value
	}
	close(v.ended)
}

// Wait waits for the end of the task and returns the task as it is recorded, which
// others may get as well. nil means that somebody else may know it: ctx has ended,
// or the server, or another attempt follows.
func (v *LocalRun) Wait(ctx context.Context) *ledger.Task {
	select {
	case <-v.ended:
	case <-v.over:
	case <-ctx.Done():
	}
	select {
	case <-v.ended: // this one counts, whatever else has happened
		if v.recorded != nil && v.recorded.Status.Terminal() {
			return v.recorded
		}
	default:
	}
	return nil
}

// Take is Wait, and takes the result if that can be had at the same time; if not,
// taken is false, and the result may be in the store.
func (v *LocalRun) Take(ctx context.Context) (t *ledger.Task, value []byte, taken bool) {
	v.result.CompareAndSwap(resultStored, resultWanted)
	t = v.Wait(ctx)
	if t == nil && !v.result.CompareAndSwap(resultWanted, resultStored) && v.result.Load() == resultHanded {
		// ctx has ended in the moment in which it was handed over.
		t = v.Wait(context.Background())
	}
	if t == nil || !v.result.CompareAndSwap(resultHanded, resultTaken) {
		return t, nil, false
	}
	value, v.value = v.value, nil
	return t, value, true
}
