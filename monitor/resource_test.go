package monitor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weft/taskspec"
)

// A usage gives what a tree uses when it has run so long.
type usage func(elapsed time.Duration) (Sample, error)

// busyFor uses a whole core in all of these seconds, counted from 0.
func busyFor(seconds ...int) usage {
	return func(elapsed time.Duration) (s Sample, err error) {
		for _, begin := range seconds {
			s.CPU += min(max(elapsed-time.Duration(begin)*time.Second, 0), time.Second)
		}
		return s, nil
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	const never = 0
	for name, test := range map[string]struct {
		limits  taskspec.Limits
		polling time.Duration
		usage   usage
		after   time.Duration // when the limit is broken
		peak    Peak
	}{
		"nothing": {taskspec.Limits{}, time.Second, busyFor(0, 1, 2, 3, 4), never, Peak{CPUPercent: 100}},
		"memory is seen within 250 ms, whatever the polling interval": {taskspec.Limits{MemoryMB: new(10.0)}, time.Minute,
			func(elapsed time.Duration) (Sample, error) {
				return Sample{MemoryMB: float64(elapsed / time.Second)}, nil
			},
			11 * time.Second, Peak{MemoryMB: 11}},
		"a young tree that grows fast is seen at once": {taskspec.Limits{MemoryMB: new(10.0)}, time.Minute,
			func(elapsed time.Duration) (Sample, error) {
				return Sample{MemoryMB: float64(elapsed / time.Millisecond)}, nil
			},
			20 * time.Millisecond, Peak{MemoryMB: 20}},
		"a short polling interval is kept": {taskspec.Limits{MaxFDs: new(4)}, 20 * time.Millisecond,
			func(elapsed time.Duration) (Sample, error) {
				return Sample{FDs: int(elapsed / (20 * time.Millisecond)), Connections: 7}, nil
			},
			100 * time.Millisecond, Peak{FDs: 5, Connections: 7, CPUPercent: 0}},
		"cpu is judged once in an interval": {taskspec.Limits{CPUPercent: new(25.0)}, time.Second, busyFor(0, 1, 2, 3, 4, 5),
			4 * time.Second, Peak{CPUPercent: 100}},
		"cpu, with a rest":      {taskspec.Limits{CPUPercent: new(25.0)}, time.Second, busyFor(0, 1, 3, 4, 5), 5 * time.Second, Peak{CPUPercent: 100}},
		"cpu, every other time": {taskspec.Limits{CPUPercent: new(25.0)}, time.Second, busyFor(0, 2, 4, 6, 8), never, Peak{CPUPercent: 100}},
		"cpu, a long interval": {taskspec.Limits{CPUPercent: new(25.0)}, 5 * time.Second, busyFor(0, 1, 2, 3, 4, 7, 8, 12, 13, 16, 17),
			20 * time.Second, Peak{CPUPercent: 100}},
		"samples that fail count for nothing": {taskspec.Limits{MemoryMB: new(10.0)}, time.Second,
			func(elapsed time.Duration) (Sample, error) {
				if elapsed < 8*time.Second {
					return Sample{MemoryMB: 1e9}, errors.New("fails")
				}
				return Sample{MemoryMB: 20}, nil
			}, 8 * time.Second, Peak{MemoryMB: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const life = 30 * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), life)
				defer cancel()
				begin := time.Now()
				w := &ResourceMonitor{Limits: test.limits, Polling: test.polling}
				w.measure = func() (Sample, error) {
					s, err := test.usage(time.Since(begin))
					s.At = time.Now()
					return s, err
				}
				var reports int
				w.Report = func(s Sample, cpuPercent float64) {
					if reports++; s.At != time.Now() || cpuPercent > w.Peak().CPUPercent {
						t.Errorf("reported %+v, %v%%", s, cpuPercent)
					}
				}
				v, broken := w.Watch(ctx)
				want := test.after
				if want == never {
					want = life
				}
				if took := time.Since(begin); took != want || broken != (test.after != never) {
					t.Errorf("broken: %v, %q after %v; want %v", broken, v.Text, took, want)
				}
				// One each interval, but for samples that fail.
				if most := int(want / test.polling); reports > most || reports < most-8 {
					t.Errorf("%d reports in %v", reports, want)
				}
				got := w.Peak()
				if last, _ := test.usage(want); got.CPU != last.CPU {
					t.Errorf("in all %v, want %v", got.CPU, last.CPU)
				}
				if got.CPU = 0; got != test.peak {
					t.Errorf("peak is %+v, want %+v", got, test.peak)
				}
			})
		})
	}
}
