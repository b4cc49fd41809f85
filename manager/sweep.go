package manager

import (
	"context"
	"strconv"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/monitor"
)

// sweep kills the remaining processes of a dead consumer's task. The consumer was a session
// leader, so a process of the task is in that session, or carries the task's cookie in its
// environment, or descends from one that does. The process group is not searched: it is
// part of the session, and its number may have been reused. At a terminal the session is
// another one, led by own, the task's own process, if that is known.
func sweep(ctx context.Context, t task, consumer, own proc.Identity) {
	// An error names processes that hang in the kernel; the loss is recorded all the same.
	_, _ = monitor.Tree{
		First:   monitor.Process(consumer),
		Session: consumer.PID,
		Cookie:  []string{ledger.EnvTID + "=" + t.tid, ledger.EnvEpoch + "=" + strconv.Itoa(t.epoch)},
	}.Kill(ctx)
	if own != (proc.Identity{}) {
		_, _ = monitor.Tree{First: monitor.Process(own), Session: own.PID}.Kill(ctx)
	}
}

// Sweep kills the processes that carry the cookie of the task tid. It is for a task whose
// record is gone, so that its consumer is unknown.
func Sweep(ctx context.Context, tid string) {
	_, _ = monitor.Tree{Cookie: []string{ledger.EnvTID + "=" + tid}}.Kill(ctx)
}
