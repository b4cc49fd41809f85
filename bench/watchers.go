package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/notify"
)

const (
	watching       = 8                // processes
	perProcess     = 13               // watchers in each
	writesInterval = time.Millisecond // between the writes to another queue
	writesTime     = 10 * time.Second // how long
)

// watchers measures what watchers use while nothing comes for them but another
// queue is busy, as a percentage of one CPU: once as it is, once where no
// inotify instance can be had any more, and once for a watcher that wakes for
// nothing because its queue shares a bell with the busy one.
func watchers(ctx context.Context, b *bench) (rows []row, err error) {
	name := fmt.Sprintf("CPU of %d idle watchers in %d processes, 1,000 writes/s elsewhere", watching*perProcess, watching)
	plain, err := b.idleWatchers(ctx, watching, perProcess, false)
	if err != nil {
		return nil, err
	}
	release, err := exhaustInotify()
	if err != nil {
		return nil, err
	}
	exhausted, err := b.idleWatchers(ctx, watching, perProcess, false)
	if err = errors.Join(err, release()); err != nil {
		return nil, err
	}
	shared, err := b.idleWatchers(ctx, 1, 1, true)
	if err != nil {
		return nil, err
	}
	return []row{
		numberRow(name, "%", plain, numberAtMost(1)),
		numberRow("the same, no inotify instance left", "%", exhausted, numberAtMost(1)),
		numberRow("CPU of 1 idle watcher whose queue shares a bell with the busy one (1 in 192 does)", "%", shared, target{}),
	}, nil
}

// idleWatchers starts watchers, sees that they work, writes to another queue
// for a while, and sees that they still work. It returns the percentage of a
// CPU that they used meanwhile. shares says whether their queues have the bell
// of the busy one.
func (b *bench) idleWatchers(ctx context.Context, processes, each int, shares bool) (percent float64, err error) {
	dir, err := b.folder()
	if err != nil {
		return 0, err
	}
	store, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	queues := idleQueues(processes*each, shares)
	var all []*helper
	var pids []int
	defer func() {
		for _, h := range all {
			err = errors.Join(err, h.close())
		}
	}()
	for i := range processes {
		h, err := help(ctx, "watcher", append([]string{dir}, queues[i*each:(i+1)*each]...)...)
		if err != nil {
			return 0, err
		}
		all, pids = append(all, h), append(pids, h.cmd.Process.Pid)
	}
	if err := reach(ctx, store, queues, all); err != nil {
		return 0, err
	}
	before, err := cpu(pids...)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := writeSteadily(ctx, store.Queue(queueName), begin); err != nil {
		return 0, err
	}
	lasted := time.Since(begin)
	after, err := cpu(pids...)
	if err != nil {
		return 0, err
	}
	return 100 * (after - before) / milliseconds(lasted), reach(ctx, store, queues, all)
}

// idleQueues are n names of which all share the bell of the busy queue, or
// none does.
func idleQueues(n int, share bool) (names []string) {
	for i := 0; len(names) < n; i++ {
		name := "idle." + strconv.Itoa(i)
		if share == (notify.Channel(name) == notify.Channel(queueName)) {
			names = append(names, name)
		}
	}
	return names
}

// reach writes a message to each queue, and returns when its watcher has it.
func reach(ctx context.Context, store *broker.Broker, queues []string, all []*helper) error {
	for _, h := range all {
		if err := h.request(1); err != nil {
			return err
		}
	}
	for _, queue := range queues {
		if _, err := store.Queue(queue).Write(ctx, "are you there?"); err != nil {
			return err
		}
	}
	for _, h := range all {
		var taken int
		if err := h.answer(&taken); err != nil {
			return err
		}
	}
	return nil
}

// writeSteadily writes a message each interval. What it is late with it makes
// up for.
func writeSteadily(ctx context.Context, queue *broker.Queue, begin time.Time) error {
	tick := time.NewTicker(writesInterval)
	defer tick.Stop()
	for n := range int(writesTime / writesInterval) {
		for time.Since(begin) < time.Duration(n)*writesInterval {
			<-tick.C
		}
		if _, err := queue.Write(ctx, "for somebody else"); err != nil {
			return err
		}
	}
	return nil
}

// exhaustInotify takes all inotify instances that the user may still have.
// release gives them back.
func exhaustInotify() (release func() error, err error) {
	var taken []int
	release = func() error {
		var errs []error
		for _, fd := range taken {
			errs = append(errs, unix.Close(fd))
		}
		return errors.Join(errs...)
	}
	for {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		switch {
		case err == nil:
			taken = append(taken, fd)
		case errors.Is(err, unix.EMFILE):
			// The same error comes at the limit of open files; then nothing
			// could be measured.
			file, err := os.Open(os.DevNull)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("no file can be opened beside %d inotify instances, allow more with ulimit -n: %w", len(taken), err), release())
			}
			return release, file.Close()
		default:
			return nil, errors.Join(fmt.Errorf("take inotify instances: %w", err), release())
		}
	}
}

// beWatcher is a process that watches queues. Asked for n, it answers when each
// watcher has taken n messages.
func beWatcher(args []string) (part, io.Closer, error) {
	store, err := sqlite.Open(args[0], sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	queues := args[1:]
	taken := make([]chan error, len(queues))
	for i, queue := range queues {
		taken[i] = make(chan error)
		go func() {
			for _, err := range store.Queue(queue).Watch(ctx, broker.WatchOptions{}) {
				select {
				case taken[i] <- err:
				case <-ctx.Done():
				}
			}
		}()
	}
	return func(n int) (any, error) {
		for _, c := range taken {
			for range n {
				if err := <-c; err != nil {
					return nil, err
				}
			}
		}
		return n * len(queues), nil
	}, closer(func() error { stop(); return store.Close() }), nil
}
