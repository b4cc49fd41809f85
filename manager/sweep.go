package manager

import (
	"context"
	"strconv"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/monitor"
)

// sweep kills what a dead consumer left of its task. The consumer was the
// leader of a session, so a process of the task is in that session, or carries
// the task's cookie in its environment, or descends from one that does.
func sweep(ctx context.Context, t task, consumer, process proc.Identity) {
	// An error names processes that hang in the kernel; the loss is recorded
	// all the same.
	_, _ = monitor.Tree{
		First:   consumer,
		Session: consumer.PID,
		Group:   process.PID,
		Cookie:  []string{ledger.EnvTID + "=" + t.tid, ledger.EnvEpoch + "=" + strconv.Itoa(t.epoch)},
	}.Kill(ctx)
}
