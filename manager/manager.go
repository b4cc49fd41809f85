package manager

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/retention"
)

// Options configure a manager. The last nine fields are optional.
type Options struct {
	Root       string         // the project's root
	Dir        string         // the project's folder, which holds the store
	Broker     *broker.Broker // stays open; the caller closes it
	Durability string         // of the store, for consumers without a manager
	MaxMessage int            // bytes, likewise
	OutputMB   int            // what is kept of a task's output, in MiB; 0 means all
	Executable string         // the program whose consumers are started
	Build      string         // what tells this program from another version of it
	Env        []string       // of consumers, and of requests without one
	// Functions are the names of functions that Executable has registered: it is executed for
	// their calls, whichever other programs have registered the same names.
	Functions []string

	// MaxTasks is how many tasks run at once; 0 means four for each core,
	// because tasks wait more than they compute.
	MaxTasks int
	// Lifetime is how long the manager stays without work; 0 means for ever.
	Lifetime time.Duration
	// Retention bounds what the manager keeps of tasks that have ended.
	Retention Retention
	// Embedded says that the manager is part of a program that continues when it stops.
	Embedded bool
	// Autostart declares the project's services; nil: none are started.
	Autostart *Autostart
	// Quarantined returns the last id of the requests that must not run because their
	// origin is not trusted; as long as there is one, no service is started either. 0 means
	// that the project is trusted, and so does nil.
	Quarantined func() broker.ID
	// Stop, when it is closed, has the manager dispatch no more tasks, stop the running ones,
	// giving them their grace period, and exit. Queued tasks stay queued.
	Stop <-chan struct{}
	// Drain is how long the manager waits, when its context has ended, for the running tasks
	// to end, and dispatches none; tasks that hold no slot are not waited for.
	Drain time.Duration
	// Ready is called when a consumer has started. It may be called again.
	Ready func()
	// Log is the manager's log; nil discards it.
	Log *slog.Logger
}

// Retention bounds what is kept of tasks that have ended. The oldest tasks go first, each with
// its events, its outputs, a result that nobody has consumed, and a work item that its policy
// has kept. A task that waits or runs never goes, nor does a message in a queue of the user's.
// 0 in a field means its default, and a negative value that there is no bound.
type Retention struct {
	// Age is how long ago a task may have ended, by default 7 days.
	Age time.Duration
	// Tasks is how many there may be, by default 100,000.
	Tasks int
	// OutputBytes is how much output they may have all together, by default 10 GB.
	OutputBytes int64
	// Keys is how old a key may be, by default 7 days from the submission of its task. Within
	// that time nothing is submitted again under the key, even if its task has been removed.
	Keys time.Duration
}

// ErrRunning is returned by [Run] when the project has a manager.
var ErrRunning = errors.New("another manager is running")

// Run takes the leadership of the project and dispatches tasks. It returns nil if the
// manager has had no work for its lifetime, or is stopped, and the cause of ctx if that
// ends: then running tasks continue without it. [ErrRunning] means that the project has a
// manager already.
func Run(ctx context.Context, o Options) error {
	o.MaxTasks = cmp.Or(o.MaxTasks, 4*runtime.NumCPU())
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Ready == nil {
		o.Ready = func() {}
	}
	lock, err := lead(ctx, o.Dir, func() bool { return leaderless(o.Broker) })
	if err != nil {
		return err
	}
	defer lock.release()
	self, err := proc.Self()
	if err != nil {
		return err
	}
	l := newLoop(o)
	defer l.Close()
	for topic, queues := range map[engine.Topic][]string{
		engine.Requests: {ledger.Requests}, engine.Manager: {ledger.ManagerControl}, engine.Delays: {ledger.WaitingRequests},
		engine.Services: {ledger.Services}, engine.Control: nil, engine.Items: nil,
	} {
		if err := l.Listen(topic, queues...); err != nil {
			return err
		}
	}
	running, over := context.WithCancelCause(context.WithoutCancel(ctx)) // until it has drained
	defer over(nil)
	// All background work ends with Run.
	inner, cancel := context.WithCancel(running)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	l.self, l.lock = self, lock
	keep := o.Retention
	l.keeper = retention.NewKeeper(o.Broker, o.Dir, retention.Bounds(keep.Age, keep.Tasks, keep.OutputBytes, keep.Keys), o.Log)
	background.Go(func() { l.keeper.Run(inner) })
	l.watch = watcher(inner, &background, l.Events)
	l.pool.watch = l.watch
	defer l.pool.close()
	defer context.AfterFunc(ctx, func() {
		if o.Drain <= 0 {
			over(context.Cause(ctx))
			return
		}
		time.AfterFunc(o.Drain, func() { over(context.Cause(ctx)) })
		select {
		case l.Events <- l.drain:
		case <-running.Done():
		}
	})()
	err = l.run(running, o.Stop)
	if err == nil && l.draining && !l.stopping {
		err = context.Cause(ctx)
	}
	return err
}

// leaderless reports whether the project has no manager that will stay: it never had one,
// the latest has recorded that it leaves, or it is dead. If the lock is held all the same,
// it will soon be free or have a new owner: a process that was being started when its
// manager died may hold it until it executes its program.
func leaderless(b *broker.Broker) bool {
	r, err := b.Record(context.Background(), ledger.ManagerKind, ledger.CurrentManager)
	if err != nil {
		return errors.Is(err, broker.ErrNotFound)
	}
	latest, err := ledger.DecodeManager(r)
	return err == nil && latest.Gone()
}
