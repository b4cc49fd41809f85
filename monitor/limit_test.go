package monitor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/taskspec"
)

// steps are samples a second apart, between which so many percent of a core were
// used.
func steps(percents ...float64) []Sample {
	at := time.Unix(1_763_740_800, 0)
	window := []Sample{{At: at}}
	for i, p := range percents {
		last := window[i]
		window = append(window, Sample{
			At:  last.At.Add(time.Second),
			CPU: last.CPU + time.Duration(p*float64(time.Second)/100),
		})
	}
	return window
}

func TestDecide(t *testing.T) {
	t.Parallel()
	memory := func(mb float64) taskspec.Limits { return taskspec.Limits{MemoryMB: &mb} }
	cpu := func(p float64) taskspec.Limits { return taskspec.Limits{CPUPercent: &p} }
	fds := func(n int) taskspec.Limits { return taskspec.Limits{MaxFDs: &n} }
	connections := func(n int) taskspec.Limits { return taskspec.Limits{MaxConnections: &n} }
	all := taskspec.Limits{MemoryMB: new(1.0), CPUPercent: new(1.0), MaxFDs: new(1), MaxConnections: new(1)}
	for name, test := range map[string]struct {
		limits taskspec.Limits
		window []Sample
		want   Violation
	}{
		"nothing yet":          {all, nil, Violation{}},
		"no limits":            {taskspec.Limits{}, []Sample{{MemoryMB: 1e9, FDs: 1e9, Connections: 1e9}}, Violation{}},
		"memory over":          {memory(100), []Sample{{MemoryMB: 140.24}}, Violation{"memory 140.2 MB > 100 MB", "sampled", true}},
		"memory at the limit":  {memory(100), []Sample{{MemoryMB: 100}}, Violation{}},
		"memory, a fraction":   {memory(0.5), []Sample{{MemoryMB: 1}}, Violation{"memory 1.0 MB > 0.5 MB", "sampled", true}},
		"memory went down":     {memory(100), []Sample{{MemoryMB: 200}, {MemoryMB: 50}}, Violation{}},
		"fds over":             {fds(100), []Sample{{FDs: 101}}, Violation{"fds 101 > 100", "sampled", false}},
		"fds at the cap":       {fds(100), []Sample{{FDs: 101, Capped: true}}, Violation{"fds 101 > 100", "rlimit", false}},
		"at another cap":       {fds(100), []Sample{{FDs: 100, Capped: true}}, Violation{}},
		"connections over":     {connections(0), []Sample{{Connections: 1}}, Violation{"connections 1 > 0", "sampled", false}},
		"connections allowed":  {connections(1), []Sample{{Connections: 1}}, Violation{}},
		"memory comes first":   {all, []Sample{{MemoryMB: 2, FDs: 2, Connections: 2}}, Violation{"memory 2.0 MB > 1 MB", "sampled", true}},
		"cpu, no step":         {cpu(25), steps(), Violation{}},
		"cpu, three over":      {cpu(25), steps(99, 99, 99), Violation{}},
		"cpu, four of four":    {cpu(25), steps(90, 90, 100, 100), Violation{"cpu 95.0% > 25%", "sampled", false}},
		"cpu, one idle":        {cpu(25), steps(90, 90, 0, 90, 90), Violation{"cpu 90.0% > 25%", "sampled", false}},
		"cpu, two idle":        {cpu(25), steps(90, 0, 90, 0, 90), Violation{}},
		"cpu at the limit":     {cpu(25), steps(25, 25, 25, 25, 25), Violation{}},
		"cpu, long ago":        {cpu(25), steps(90, 90, 90, 90, 0, 0, 90), Violation{}},
		"cpu of several cores": {cpu(150), steps(200, 200, 200, 200), Violation{"cpu 200.0% > 150%", "sampled", false}},
		"cpu goes back":        {cpu(25), steps(90, -90, 90, 90, 90), Violation{"cpu 90.0% > 25%", "sampled", false}},
		"cpu, clock stands":    {cpu(25), make([]Sample, 6), Violation{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, broken := Decide(test.limits, test.window)
			if diff := cmp.Diff(test.want, got); diff != "" || broken != (test.want != Violation{}) {
				t.Errorf("broken: %v (-want +got):\n%s", broken, diff)
			}
		})
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	for peak, text := range map[float64]string{0: "memory > 100.5 MB", 100.49: "memory 100.5 MB > 100.5 MB"} {
		want := Violation{text, "cgroup", true}
		if got := OutOfMemory(100.5, peak); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
