package monitor

import (
	"context"
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

// A Watch samples a tree and judges it. Use [NewWatch] to make one.
type Watch struct {
	limits taskspec.Limits
	every  time.Duration // between two samples by which CPU time is judged
	window []Sample
	peak   Peak
	age    time.Duration // of the tree at the next sample

	// Report, if it is set before Run, is called by Run after each sample by which CPU time
	// is judged, with the share of a core used since the one before.
	Report func(s Sample, cpuPercent float64)
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

// NewWatch returns a watch of a tree that starts now. polling is the interval of the
// samples by which CPU time is judged. A limit that is nil is not judged.
func NewWatch(limits taskspec.Limits, polling time.Duration) *Watch {
	return &Watch{limits: limits, every: polling, window: []Sample{{At: time.Now()}}}
}

// Run takes samples until one exceeds a limit, which it returns, or until ctx is done, when
// it returns false. A sample that fails is ignored. Between two samples it sleeps for the
// polling interval, but for at least 10 and at most 250 ms. The first samples come after
// 10, 20, 40 ms and so on: a tree grows fastest when it is young.
func (w *Watch) Run(ctx context.Context, sample func() (Sample, error)) (Violation, bool) {
	timer := time.NewTimer(w.next())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Violation{}, false
		case <-timer.C:
		}
		young := w.age < w.pause()
		timer.Reset(w.next())
		s, err := sample()
		if err != nil {
			continue
		}
		if v, broken := w.add(s, young); broken {
			return v, true
		}
	}
}

// Peak returns the peak of all samples. While Run runs only its Report may call it.
func (w *Watch) Peak() Peak { return w.peak }

// add judges one more sample. Those of a young tree come before the polling interval.
func (w *Watch) add(s Sample, young bool) (Violation, bool) {
	w.peak.CPU = max(w.peak.CPU, s.CPU)
	w.peak.MemoryMB = max(w.peak.MemoryMB, s.MemoryMB)
	w.peak.FDs = max(w.peak.FDs, s.FDs)
	w.peak.Connections = max(w.peak.Connections, s.Connections)
	last := w.window[len(w.window)-1]
	if young || s.At.Sub(last.At) < w.every-w.pause()/2 { // timers and samples are not exact
		return Decide(w.limits, []Sample{s}) // too early to judge the CPU time
	}
	percent := s.percent(last)
	w.peak.CPUPercent = max(w.peak.CPUPercent, percent)
	if w.Report != nil {
		w.Report(s, percent)
	}
	w.window = append(w.window, s)
	w.window = w.window[max(0, len(w.window)-cpuSteps-1):]
	return Decide(w.limits, w.window)
}

// next returns the time until the next sample.
func (w *Watch) next() time.Duration {
	before := w.age
	if w.age += w.pause(); before < w.pause() {
		w.age = min(max(minPause, 2*before), w.pause())
	}
	return w.age - before
}

// pause returns the time between two samples, once the tree is no longer young.
func (w *Watch) pause() time.Duration { return max(minPause, min(w.every, maxPause)) }
