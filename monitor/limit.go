package monitor

import (
	"fmt"
	"strconv"
	"time"

	"weft/taskspec"
)

// A Sample is what the processes of a tree use at one time. What was not measured is zero.
type Sample struct {
	At          time.Time
	CPU         time.Duration // used by all of them since they started
	MemoryMB    float64       // resident memory in MiB
	FDs         int           // open descriptors
	Capped      bool          // one process has as many descriptors as its cap allows
	Connections int           // TCP connections, and UDP sockets that are connected
}

// The means that enforce a limit, as [Violation] and a task's result name them.
const (
	MeansCgroup  = "cgroup"  // the kernel limited the cgroup of the tree, and killed it
	MeansRlimit  = "rlimit"  // the kernel limited one process ([CapFDs]), and a sample found it at its cap
	MeansSampled = "sampled" // a sample found that the tree exceeds the limit
)

// A Violation is a limit that was exceeded. The zero value is none.
type Violation struct {
	Text   string // names limit and value, such as "memory 140.2 MB > 100 MB"
	Means  string // one of the Means constants
	AtOnce bool   // there is no time for a grace period: a process without memory cannot clean up
}

// CPU time is judged by the last cpuSteps intervals between samples: the limit is exceeded
// when cpuOver of them are above it. A burst is no violation, and one idle interval does
// not hide a busy process. The numbers are those of the first Weft.
const (
	cpuSteps = 5
	cpuOver  = 4
)

// Decide returns the limit that is exceeded at the end of the window, which holds samples
// of one tree, oldest first. Memory, descriptors and connections are judged by the last
// sample alone, CPU time by the intervals between the last six, which the caller takes at
// the task's polling interval.
func Decide(l taskspec.Limits, window []Sample) (Violation, bool) {
	if len(window) == 0 {
		return Violation{}, false
	}
	last := window[len(window)-1]
	sampled := func(format string, args ...any) (Violation, bool) {
		return Violation{Text: fmt.Sprintf(format, args...), Means: MeansSampled}, true
	}
	if l.MemoryMB != nil && last.MemoryMB > *l.MemoryMB {
		v, broken := sampled("memory %.1f MB > %s MB", last.MemoryMB, number(*l.MemoryMB))
		v.AtOnce = true
		return v, broken
	}
	if l.CPUPercent != nil {
		if mean, broken := busy(*l.CPUPercent, window); broken {
			return sampled("cpu %.1f%% > %s%%", mean, number(*l.CPUPercent))
		}
	}
	if l.MaxFDs != nil && last.FDs > *l.MaxFDs {
		v, broken := sampled("fds %d > %d", last.FDs, *l.MaxFDs)
		if last.Capped {
			v.Means = MeansRlimit
		}
		return v, broken
	}
	if l.MaxConnections != nil && last.Connections > *l.MaxConnections {
		return sampled("connections %d > %d", last.Connections, *l.MaxConnections)
	}
	return Violation{}, false
}

// busy reports whether enough of the last intervals are above the limit, and their mean.
func busy(limit float64, window []Sample) (mean float64, broken bool) {
	window = window[max(0, len(window)-cpuSteps-1):]
	sum, over := 0.0, 0
	for i := range len(window) - 1 {
		if p := window[i+1].percent(window[i]); p > limit {
			sum += p
			over++
		}
	}
	return sum / float64(max(over, 1)), over >= cpuOver
}

// percent returns what the tree used of one core since the sample before.
func (s Sample) percent(before Sample) float64 {
	elapsed := s.At.Sub(before.At)
	if elapsed <= 0 {
		return 0
	}
	// A process that ends between the reads of its parent and of itself is missing from one
	// sample.
	return max(0, 100*(s.CPU-before.CPU).Seconds()/elapsed.Seconds())
}

// number formats a limit as its spec has it: 100 and not 100.0.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// OutOfMemory returns the violation of a memory limit that a [Group] enforced. peakMB is
// the tree's peak, 0 if it is not known. The tree was refused more memory, so the two
// numbers are mostly the same.
func OutOfMemory(limitMB, peakMB float64) Violation {
	text := fmt.Sprintf("memory > %s MB", number(limitMB))
	if peakMB > 0 {
		text = fmt.Sprintf("memory %.1f MB > %s MB", peakMB, number(limitMB))
	}
	return Violation{Text: text, Means: MeansCgroup, AtOnce: true}
}
