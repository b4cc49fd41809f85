package monitor

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"weft/taskspec"
)

// The time between two samples is the polling interval within these bounds. Memory can grow
// by gigabytes a second, so a limit that is checked once a minute is none; the kernel
// counts CPU time in hundredths of a second.
const (
	minPause = 10 * time.Millisecond
	maxPause = 250 * time.Millisecond
)

// A ResourceMonitor measures a process with everything below it, and judges that by limits.
// It needs no manager and no store. Only PID is required. Set the fields before the first
// call; several goroutines may make calls.
type ResourceMonitor struct {
	// PID is the process. Its descendants count as long as no process between has exited.
	PID int
	// Subreaper says that PID is a child of the calling process, which is a child subreaper
	// ([Subreaper]), and that whatever else descends from that counts too. So nothing is
	// missed. The zombies among its children, other than PID, are reaped by each sample and
	// by [ResourceMonitor.Reap]; their CPU time stays counted.
	Subreaper bool

	// Foreign are environment entries. A process that was executed with one of them does
	// not count, nor do its descendants.
	Foreign []string

	// Limits are what the processes may use together; one that is nil is not judged. A
	// limit on descriptors is also set for each process: see [CapFDs].
	Limits taskspec.Limits
	// Everything asks for descriptors and connections to be counted without a limit on them.
	Everything bool
	// Polling is the interval of the samples by which CPU time is judged; 0 means a second.
	Polling time.Duration
	// Report, if it is set, is called by Watch after each sample by which CPU time is
	// judged, with the share of a core used since the one before.
	Report func(s Sample, cpuPercent float64)

	measure func() (Sample, error) // Sample, but for tests
	window  []Sample
	age     time.Duration // of the watch at the next sample
	started uint64        // when PID started, in the ticks of its first sample

	mu     sync.Mutex // held while processes are sampled or reaped
	peak   Peak
	reaped time.Duration // the CPU time of what was reaped
}

// A Peak is the maximum of each number in one sample, and of the CPU usage between samples.
// The zero value is that of a tree that was never sampled.
type Peak struct {
	CPU         time.Duration // the total at the last sample
	MemoryMB    float64
	CPUPercent  float64 // of one core
	FDs         int
	Connections int
}

// Watch takes samples until one exceeds a limit, which it returns, or until ctx is done or
// the process has ended, when it returns false. A sample that fails otherwise is ignored.
// Between two samples it sleeps for the polling interval, but for at least 10 and at most
// 250 ms. The first samples come after 10, 20, 40 ms and so on: a tree grows fastest when it
// is young. A second call continues the first.
func (r *ResourceMonitor) Watch(ctx context.Context) (Violation, bool) {
	if r.measure == nil {
		r.measure = r.Sample
	}
	if r.Polling == 0 {
		r.Polling = time.Second
	}
	if r.window == nil {
		first, err := r.measure()
		if err != nil {
			first = Sample{At: time.Now()}
		}
		r.window = []Sample{first}
	}
	timer := time.NewTimer(r.next())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Violation{}, false
		case <-timer.C:
		}
		young := r.age < r.pause()
		timer.Reset(r.next())
		s, err := r.measure()
		switch {
		case errors.Is(err, os.ErrProcessDone):
			return Violation{}, false
		case err != nil:
			continue
		}
		if v, broken := r.judge(s, young); broken {
			return v, true
		}
	}
}

// Peak returns the peak of the samples that Watch has taken.
func (r *ResourceMonitor) Peak() Peak {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peak
}

// judge judges one more sample. Those of a young tree come before the polling interval.
func (r *ResourceMonitor) judge(s Sample, young bool) (Violation, bool) {
	last := r.window[len(r.window)-1]
	due := !young && s.At.Sub(last.At) >= r.Polling-r.pause()/2 // timers and samples are not exact
	percent := 0.0
	if due {
		percent = s.percent(last)
	}
	r.mu.Lock()
	r.peak.CPU = max(r.peak.CPU, s.CPU)
	r.peak.MemoryMB = max(r.peak.MemoryMB, s.MemoryMB)
	r.peak.CPUPercent = max(r.peak.CPUPercent, percent)
	r.peak.FDs = max(r.peak.FDs, s.FDs)
	r.peak.Connections = max(r.peak.Connections, s.Connections)
	r.mu.Unlock()
	if !due {
		return Decide(r.Limits, []Sample{s}) // too early to judge the CPU time
	}
	if r.Report != nil {
		r.Report(s, percent)
	}
	r.window = append(r.window, s)
	r.window = r.window[max(0, len(r.window)-cpuSteps-1):]
	return Decide(r.Limits, r.window)
}

// next returns the time until the next sample.
func (r *ResourceMonitor) next() time.Duration {
	before := r.age
	if r.age += r.pause(); before < r.pause() {
		r.age = min(max(minPause, 2*before), r.pause())
	}
	return r.age - before
}

// pause returns the time between two samples, once the tree is no longer young.
func (r *ResourceMonitor) pause() time.Duration { return max(minPause, min(r.Polling, maxPause)) }
