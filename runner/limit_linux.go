package runner

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"weft/internal/ledger"
	"weft/internal/role"
	"weft/monitor"
	"weft/taskspec"
)

// A limitWatch watches the limits of one task. If the kernel enforces all of them it does
// nothing and costs nothing.
type limitWatch struct {
	broken chan monitor.Violation // nil if there is nothing to watch
	watch  *monitor.Watch
	cancel context.CancelFunc
	ended  chan struct{} // closed when sampling has ended

	mu     sync.Mutex // held while processes are sampled or reaped
	own    int        // the task's own process
	reaped time.Duration
}

// newLimitWatch starts to watch a task that has been started. It reports the usage to used,
// if the assignment asks for it.
func newLimitWatch(a *Assignment, c *command, used func(context.Context, ledger.Usage)) *limitWatch {
	limits := a.Limits
	if c.group != nil {
		limits.MemoryMB = nil
	}
	if limits == (taskspec.Limits{}) && !a.Reports {
		return &limitWatch{own: c.cmd.Process.Pid}
	}
	sampler := monitor.Sampler{
		Root:        os.Getpid(),
		Foreign:     []string{role.Entry(role.Manager)},
		FDs:         limits.MaxFDs != nil || a.Reports,
		Connections: limits.MaxConnections != nil || a.Reports,
	}
	if limits.MemoryMB != nil {
		sampler.Doubt = *limits.MemoryMB
	}
	if limits.MaxFDs != nil {
		sampler.Cap = *limits.MaxFDs
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &limitWatch{
		broken: make(chan monitor.Violation),
		watch:  monitor.NewWatch(limits, a.Polling),
		cancel: cancel,
		ended:  make(chan struct{}),
		own:    c.cmd.Process.Pid,
	}
	sample := func() (monitor.Sample, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		s, err := sampler.Sample()
		s.CPU += g.reaped
		g.reaped += monitor.ReapOrphans(g.own)
		return s, err
	}
	if a.Reports {
		g.watch.Report = func(s monitor.Sample, cpuPercent float64) {
			u := withPeak(ledger.Usage{}, g.watch.Peak())
			u.MemoryMB, u.CPUPercent, u.FDs, u.Connections = s.MemoryMB, cpuPercent, s.FDs, s.Connections
			used(ctx, u)
		}
	}
	go func() {
		defer close(g.ended)
		// It continues after the first violation: memory may run out during the grace
		// period.
		for {
			v, broken := g.watch.Run(ctx, sample)
			if !broken {
				return
			}
			select {
			case g.broken <- v:
			case <-ctx.Done():
			}
		}
	}()
	return g
}

// reap removes the zombies of processes that the task has left. The kernel gives them to
// the consumer, a subreaper. Their usage stays counted.
func (w *limitWatch) reap() {
	if w.mu.TryLock() { // else the sampling goroutine reaps them
		w.reaped += monitor.ReapOrphans(w.own)
		w.mu.Unlock()
	}
}

// close ends the watch and returns the peak of its samples.
func (w *limitWatch) close() monitor.Peak {
	if w.watch == nil {
		return monitor.Peak{}
	}
	w.cancel()
	<-w.ended
	return w.watch.Peak()
}

// newGroup makes the cgroup that bounds a task's memory. It returns nil if none is wanted
// or can be made.
func newGroup(a *Assignment) *monitor.Group {
	if a.Limits.MemoryMB == nil || a.NoGroup {
		return nil
	}
	g, err := monitor.NewGroup(fmt.Sprintf("%s.%d", a.TID, a.Epoch), *a.Limits.MemoryMB)
	if err != nil {
		return nil // the memory is sampled instead, and a violation says so
	}
	return g
}

// usage returns what the task has used in total and at its peak. The kernel knows the
// largest of its processes, even between samples.
func usage(c *command, peak monitor.Peak) ledger.Usage {
	u := withPeak(c.usage(), peak)
	if c.group != nil {
		u.PeakMemoryMB = max(u.PeakMemoryMB, c.group.PeakMB())
	}
	return u
}

// withPeak returns u with the peak of the samples.
func withPeak(u ledger.Usage, peak monitor.Peak) ledger.Usage {
	// The kernel does not count the CPU time of a killed process whose parent did not wait
	// for it.
	u.CPUSeconds = max(u.CPUSeconds, peak.CPU.Seconds())
	u.PeakMemoryMB = max(u.PeakMemoryMB, peak.MemoryMB)
	u.PeakCPUPercent, u.PeakFDs, u.PeakConnections = peak.CPUPercent, peak.FDs, peak.Connections
	return u
}
