package attempt

import (
	"context"

	"weft/monitor"
	"weft/taskspec"
)

// A limitWatch watches the limits of an attempt. If the kernel enforces all of them it does
// nothing and costs nothing.
type limitWatch struct {
	*monitor.ResourceMonitor
	broken chan monitor.Violation // nil if there is nothing to watch
	cancel context.CancelFunc
	ended  chan struct{} // closed when sampling has ended
}

// newLimitWatch starts to watch the process.
func (a *Attempt) newLimitWatch() *limitWatch {
	w := &limitWatch{ResourceMonitor: &monitor.ResourceMonitor{
		PID: a.cmd.Process.Pid, Subreaper: a.Subreaper, Foreign: a.Foreign,
		Limits: a.Limits, Everything: a.Report != nil, Polling: a.Polling,
	}}
	if a.group != nil {
		w.Limits.MemoryMB = nil
	}
	w.Limits.OutputMB, w.Limits.OutputPolicy = nil, "" // is not sampled
	if w.Limits == (taskspec.Limits{}) && a.Report == nil {
		return w
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.broken, w.cancel, w.ended = make(chan monitor.Violation), cancel, make(chan struct{})
	if a.Report != nil {
		w.Report = func(s monitor.Sample, cpuPercent float64) { a.Report(ctx, s, cpuPercent, w.Peak()) }
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
