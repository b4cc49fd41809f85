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
// the task's cookie in its environment, or descends from one that does. The
// task's process group counts for nothing: it is part of the session, and its
// number may be that of a stranger's group by now. At a terminal the session is
// another: own, the task's own process, leads it, as far as that is known.
func sweep(ctx context.Context, t task, consumer, own proc.Identity) {
	// An error names processes that hang in the kernel; the loss is recorded
	// all the same.
	_, _ = monitor.Tree{
		First:   consumer,
		Session: consumer.PID,
		Cookie:  []string{ledger.EnvTID + "=" + t.tid, ledger.EnvEpoch + "=" + strconv.Itoa(t.epoch)},
	}.Kill(ctx)
	if own != (proc.Identity{}) {
		_, _ = monitor.Tree{First: own, Session: own.PID}.Kill(ctx)
	}
}

// Sweep kills what carries the cookie of the task tid: for one whose record is gone, so
// that nobody knows its consumer.
func Sweep(ctx context.Context, tid string) {
	_, _ = monitor.Tree{Cookie: []string{ledger.EnvTID + "=" + tid}}.Kill(ctx)
}
