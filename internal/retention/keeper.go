package retention

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

const (
	// firstPass is when a keeper looks first, after its start.
	firstPass = time.Second
	// interval is when a keeper looks again if it has no earlier reason.
	interval = 10 * time.Minute
	// leastEnds and mostEnds bound how many tasks may end before a keeper counts them: a
	// twentieth of the bound.
	leastEnds, mostEnds = 10, 5000
	// wholeEnds is after how many ends of tasks a keeper looks at all that they may have left,
	// which reads every task.
	wholeEnds = 100_000
	// leastFree is how much of the store must be unused to be worth a copy of the rest.
	leastFree = 16 << 20
	// oneIn is how many short-lived keepers there are to one that looks at everything when it
	// leaves: one that lives for a task does not do what a hundred can share.
	oneIn = 100
)

// A Keeper removes what exceeds the bounds, in the background of a process that runs tasks.
// Several may work on one project.
type Keeper struct {
	b     *broker.Broker
	dir   string
	keep  ledger.Retention
	log   *slog.Logger
	wake  chan struct{}
	began time.Time

	ends    atomic.Int64 // of tasks, since the last pass
	written atomic.Int64 // the output of these

	mu      sync.Mutex // one pass at a time
	whole   time.Time  // when it has looked at everything
	since   int64      // ends since then
	printed int64      // likewise
}

// NewKeeper returns a keeper of the project whose folder is dir. It does nothing before
// [Keeper.Run].
func NewKeeper(b *broker.Broker, dir string, keep ledger.Retention, log *slog.Logger) *Keeper {
	now := time.Now()
	return &Keeper{b: b, dir: dir, keep: keep, log: log, wake: make(chan struct{}, 1), began: now, whole: now}
}

// Ended tells the keeper that a task has ended that has written so many bytes. It may be
// called by any goroutine.
func (k *Keeper) Ended(bytes int64) {
	ends, written := k.ends.Add(1), k.written.Add(bytes)
	if k.due(ends, written) {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// due reports whether so many ends, and so much output, are a reason to look.
func (k *Keeper) due(ends, written int64) bool {
	most := int64(mostEnds)
	if k.keep.Tasks > 0 {
		most = min(max(int64(k.keep.Tasks)/20, leastEnds), mostEnds)
	}
	return ends >= most || k.muchOutput(written)
}

func (k *Keeper) muchOutput(written int64) bool {
	return k.keep.Output > 0 && written >= max(k.keep.Output/20, 1)
}

// Run removes what exceeds the bounds, whenever there is a reason to look, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(firstPass)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		}
		k.look(ctx, false)
		timer.Reset(interval)
	}
}

// Last looks once more if a task has ended since, because the process is about to leave.
func (k *Keeper) Last(ctx context.Context) {
	if k.ends.Load() > 0 {
		k.look(ctx, time.Since(k.began) > interval || rand.IntN(oneIn) == 0)
	}
}

// Shrink gives the room of the store back to the file system if most of it is unused, while
// writers wait, and moves its log into its file otherwise. It is for a process that leaves.
func Shrink(ctx context.Context, b *broker.Broker) error {
	info, err := b.Info(ctx)
	if err == nil && info.Free > max(leastFree, info.Bytes/2) {
		return b.Compact(ctx)
	}
	return broker.Flush(ctx, b)
}

// look removes what exceeds the bounds.
func (k *Keeper) look(ctx context.Context, all bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.since += k.ends.Swap(0)
	k.printed += k.written.Swap(0)
	now := time.Now()
	p := &pass{b: k.b, dir: k.dir, keep: k.keep, now: now}
	var err error
	if all || k.since >= wholeEnds || k.muchOutput(k.printed) || k.since > 0 && now.Sub(k.whole) >= interval {
		k.whole, k.since, k.printed = now, 0, 0
		err = p.all(ctx)
	} else {
		err = p.tasks(ctx, func(*ledger.Task) int64 { return 0 }, 0)
	}
	switch r := p.report; {
	case err != nil && ctx.Err() == nil:
		k.log.Warn("remove what need not be kept", "err", err)
	case r.Tasks > 0:
		k.log.Debug("removed what need not be kept", "tasks", r.Tasks, "events", r.Events, "files", r.Files,
			"took", time.Since(now).Round(time.Millisecond))
	}
}
