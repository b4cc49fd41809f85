//go:build unix

package notify

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkWake measures the time from before a second process changes the store and
// notifies this one until this one has received that, after a pause in which both slept;
// compared with polling the store every millisecond.
func BenchmarkWake(b *testing.B) {
	b.Run("channel", func(b *testing.B) {
		dir := newFolder(b)
		s := newNotifier(b, dir, nil)
		l := listen(b, s, "a")
		measureWake(b, startProcess(b, dir), func() { awaitNotified(b, l) })
	})
	b.Run("poll-1ms", func(b *testing.B) {
		other := startProcess(b, newFolder(b))
		measureWake(b, other, func() {
			for last := other.changed(b); other.changed(b) == last; {
				time.Sleep(time.Millisecond)
			}
		})
	})
}

func measureWake(b *testing.B, other *process, wait func()) {
	var took []time.Duration
	for b.Loop() {
		// the pauses differ, so that they do not run in step with the poll
		other.notify(b, 3*time.Millisecond+time.Duration(len(took)*271%1000)*time.Microsecond, "a")
		wait()
		took = append(took, time.Since(other.changed(b)))
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op") // it is mostly the pause
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-us")
}

// BenchmarkIdle shows what a listener costs that receives nothing.
func BenchmarkIdle(b *testing.B) {
	s := newNotifier(b, newFolder(b), nil)
	listen(b, s, "a", "b", "c")
	seconds := 0.0
	before := usage(b)
	for b.Loop() {
		time.Sleep(time.Second)
		seconds++
	}
	after := usage(b)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric((after.cpu-before.cpu).Seconds()*1e6/seconds, "cpu-us/s")
	b.ReportMetric(float64(after.switches-before.switches)/seconds, "switches/s")
}

type used struct {
	cpu      time.Duration
	switches int64
}

func usage(b *testing.B) used {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return used{time.Duration(u.Utime.Nano() + u.Stime.Nano()), int64(u.Nvcsw) + int64(u.Nivcsw)}
}

// BenchmarkNotify measures a notification without a listener, as after most commits, and
// one that wakes a listener of the same process.
func BenchmarkNotify(b *testing.B) {
	for _, name := range []string{"no listener", "listener"} {
		b.Run(name, func(b *testing.B) {
			s := newNotifier(b, newFolder(b), nil)
			listen(b, s, "listener")
			b.ReportAllocs()
			for b.Loop() {
				notify(b, s, name)
			}
		})
	}
}

// BenchmarkStart measures a process that notifies once: Open, Notify and Close.
func BenchmarkStart(b *testing.B) {
	dir := newFolder(b)
	newNotifier(b, dir, nil)
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Notify("a"); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListen measures a short-lived listener in a process that has others.
func BenchmarkListen(b *testing.B) {
	s := newNotifier(b, newFolder(b), nil)
	listen(b, s, "a")
	b.ReportAllocs()
	for b.Loop() {
		listen(b, s, "b").Close()
	}
}
