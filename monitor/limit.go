package monitor

import (
	"fmt"
	"strconv"
	"time"

	"weft/taskspec"
)

// A Sample is what the processes of a tree use at one moment. What was not
// measured is zero.
type Sample struct {
	At          time.Time
	CPU         time.Duration // what all of them have used since they began
	MemoryMB    float64       // resident memory in MiB
	FDs         int           // open descriptors
	Capped      bool          // one process has as many as the kernel lets it have
	Connections int           // TCP connections, and UDP sockets that are connected
}

// The means by which a limit holds, as [Violation] and a task's result name
// them.
const (
	MeansCgroup  = "cgroup"  // the kernel holds the tree together, and ended it
	MeansRlimit  = "rlimit"  // the kernel stopped one process ([CapFDs]), and a sample found it there
	MeansSampled = "sampled" // a sample found the tree beyond it
)

// A Violation is a limit that was broken. The zero value is none.
type Violation struct {
	Text   string // names limit and value, such as "memory 140.2 MB > 100 MB"
	Means  string // one of the Means constants
	AtOnce bool   // there is no time for a grace: what has no memory cannot tidy up
}

// CPU time is judged by the last cpuSteps steps from sample to sample: the limit
// is broken when cpuOver of them are over it. A burst is no violation, and one
// idle moment does not hide a process that never rests. The numbers are those
// of the first Weft.
const (
	cpuSteps = 5
	cpuOver  = 4
)

// Decide says which limit is broken by the end of the window, which holds
// samples of one tree, oldest first. Memory, descriptors and connections are
// judged by the last sample alone; CPU time by the steps between the last
// six, which the caller takes as far apart as the task's polling interval.
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

// busy reports whether enough of the last steps are over limit, and the mean of
// those that are.
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

// percent is what the tree used of one core since the sample before.
func (s Sample) percent(before Sample) float64 {
	elapsed := s.At.Sub(before.At)
	if elapsed <= 0 {
		return 0
	}
	// A process that ends between the looks at its parent and at itself is
	// missing from one sample.
	return max(0, 100*(s.CPU-before.CPU).Seconds()/elapsed.Seconds())
}

// number writes a limit as its spec has it: 100 and not 100.0.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// OutOfMemory is the violation of a memory limit that a [Group] held. peakMB is
// what the tree had, and 0 if that is not known. It wanted more and got none, so
// the two numbers are the same as a rule.
func OutOfMemory(limitMB, peakMB float64) Violation {
	text := fmt.Sprintf("memory > %s MB", number(limitMB))
	if peakMB > 0 {
		text = fmt.Sprintf("memory %.1f MB > %s MB", peakMB, number(limitMB))
	}
	return Violation{Text: text, Means: MeansCgroup, AtOnce: true}
}
