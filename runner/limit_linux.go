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

// A limitWatch watches over the limits of one task. That of a task whose limits, if
// any, the kernel holds does nothing and costs nothing.
type limitWatch struct {
	broken chan monitor.Violation // nil if there is nothing to watch
	watch  *monitor.Watch
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing is sampled any more

	mu     sync.Mutex // held while processes are looked at, or reaped
	own    int        // the task's own process
	reaped time.Duration
}

// newLimitWatch begins to watch a task that has been started. used is told what it
// uses, if the assignment wants that.
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
		// It goes on after the first: memory may run out during a grace.
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

// reap removes the zombies of processes that the task has left. The kernel gives
// them to the consumer, a subreaper. What they used stays known.
func (g *limitWatch) reap() {
	if g.mu.TryLock() { // else they are reaped after the look
		g.reaped += monitor.ReapOrphans(g.own)
		g.mu.Unlock()
	}
}

// close ends the watch and returns the most that it has seen.
func (g *limitWatch) close() monitor.Peak {
	if g.watch == nil {
		return monitor.Peak{}
	}
	g.cancel()
	<-g.ended
	return g.watch.Peak()
}

// newGroup makes the cgroup that bounds a task's memory, or returns nil if none
// is wanted or can be made.
func newGroup(a *Assignment) *monitor.Group {
	if a.Limits.MemoryMB == nil || a.NoGroup {
		return nil
	}
	g, err := monitor.NewGroup(fmt.Sprintf("%s.%d", a.TID, a.Epoch), *a.Limits.MemoryMB)
	if err != nil {
		return nil // then it is sampled, and a violation says so
	}
	return g
}

// usage is what the task has used, in the end and at its height. The kernel
// knows the largest of its processes, also where nobody has looked.
func usage(c *command, peak monitor.Peak) ledger.Usage {
	u := withPeak(c.usage(), peak)
	if c.group != nil {
		u.PeakMemoryMB = max(u.PeakMemoryMB, c.group.PeakMB())
	}
	return u
}

// withPeak is u with the most that samples have seen.
func withPeak(u ledger.Usage, peak monitor.Peak) ledger.Usage {
	// Who was killed was not waited for by those who count for the kernel.
	u.CPUSeconds = max(u.CPUSeconds, peak.CPU.Seconds())
	u.PeakMemoryMB = max(u.PeakMemoryMB, peak.MemoryMB)
	u.PeakCPUPercent, u.PeakFDs, u.PeakConnections = peak.CPUPercent, peak.FDs, peak.Connections
	return u
}
