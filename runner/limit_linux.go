package runner

import (
	"context"
	"fmt"

	"weft/internal/ledger"
	"weft/internal/role"
	"weft/monitor"
	"weft/taskspec"
)

// A limitWatch watches the limits of one task. If the kernel enforces all of them it does
// nothing and costs nothing.
type limitWatch struct {
	*monitor.ResourceMonitor
	broken chan monitor.Violation // nil if there is nothing to watch
	cancel context.CancelFunc
	ended  chan struct{} // closed when sampling has ended
}

// newLimitWatch starts to watch a task that has been started. It reports the usage to used,
// if the assignment asks for it.
func newLimitWatch(a *Assignment, c *command, used func(context.Context, ledger.Usage)) *limitWatch {
	w := &limitWatch{ResourceMonitor: &monitor.ResourceMonitor{
		PID: c.cmd.Process.Pid, Subreaper: true, Foreign: []string{role.Entry(role.Manager)},
		Limits: a.Limits, Everything: a.Reports, Polling: a.Polling,
	}}
	if c.group != nil {
		w.Limits.MemoryMB = nil
	}
	if w.Limits == (taskspec.Limits{}) && !a.Reports {
		return w
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.broken, w.cancel, w.ended = make(chan monitor.Violation), cancel, make(chan struct{})
	if a.Reports {
		w.Report = func(s monitor.Sample, cpuPercent float64) {
			u := withPeak(ledger.Usage{}, w.Peak())
			u.MemoryMB, u.CPUPercent, u.FDs, u.Connections = s.MemoryMB, cpuPercent, s.FDs, s.Connections
			used(ctx, u)
		}
	}
	go func() {
		defer close(w.ended)
		// It continues after the first violation: memory may run out during the grace
		// period.
		for {
			v, broken := w.Watch(ctx)
			if !broken {
				return
			}
			select {
			case w.broken <- v:
			case <-ctx.Done():
			}
		}
	}()
	return w
}

// close ends the watch and returns the peak of its samples.
func (w *limitWatch) close() monitor.Peak {
	if w.broken != nil {
		w.cancel()
		<-w.ended
	}
	return w.Peak()
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
