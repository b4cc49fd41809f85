// Package waittest says how long tests wait, on any machine.
//
// A test waits for an event, and how long that takes proves nothing. So there is
// one limit, so generous that what exceeds it hangs.
package waittest

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Limit returns how long a test waits for what must happen, before it says that it
// hangs: a minute, times the slowness of the machine.
func Limit() time.Duration { return Scale(time.Minute) }

// Scale returns d times the slowness of the machine.
func Scale(d time.Duration) time.Duration { return time.Duration(float64(d) * Slowness()) }

// Context returns a context that ends after the limit, or shortly before the test
// binary would be stopped for its own timeout.
func Context(t testing.TB) context.Context {
	t.Helper()
	return ContextFor(t, Limit())
}

// ContextFor is Context for a test that takes long: it ends after d.
func ContextFor(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	end := time.Now().Add(d)
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		const toReport = 10 * time.Second
		if last, ok := limited.Deadline(); ok && last.Add(-toReport).Before(end) {
			end = last.Add(-toReport)
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	t.Cleanup(cancel)
	return ctx
}

// InTime calls try with a longer and longer timeout, until it returns true: what is
// tried has come as far as the test needs before its time was over.
func InTime(t testing.TB, timeout time.Duration, try func(timeout time.Duration) bool) {
	t.Helper()
	for began := time.Now(); !try(timeout); timeout *= 2 {
		if time.Since(began) > Limit() {
			t.Fatalf("a timeout of %v was over too early", timeout)
		}
	}
}

// Await returns what c receives first; the test ends if that is nothing.
func Await[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Limit()):
		t.Fatalf("%s did not come after %v", what, Limit())
	}
	return v
}

// Until waits until is returns true, which it asks again and again, where no event can be
// awaited.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(Limit()); !is(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s did not come after %v", what, Limit())
		}
	}
}

// Long reports whether the long form of the tests is asked for.
func Long() bool { return os.Getenv("WEFT_LONG") == "1" }

// NeedLong skips a proof that takes long, unless the long form is asked for.
func NeedLong(t testing.TB) {
	t.Helper()
	if !Long() {
		t.Skip("takes long: set WEFT_LONG=1")
	}
}

// Size is how much of something a test does: more in the long form.
func Size(usual, long int) int {
	if Long() {
		return long
	}
	return usual
}

// Bound fails the test, in the long form only, if something took longer than was
// promised, times the slowness of the machine.
func Bound(t testing.TB, what string, took, promised time.Duration) {
	t.Helper()
	t.Logf("%s took %v", what, took.Round(time.Millisecond))
	if most := Scale(promised); Long() && took > most {
		t.Errorf("%s took %v, want at most %v: %v on a machine that is %.1f times faster", what, took, most, promised, Slowness())
	}
}

// Slowness is how many times longer than on a quiet machine a process takes here
// to start and end, at least 1. It is measured once.
var Slowness = sync.OnceValue(func() float64 {
	const (
		starts = 10
		normal = time.Millisecond // for each of them
	)
	began := time.Now()
	for range starts {
		if err := exec.Command("true").Run(); err != nil {
			return raceFactor // not this kind of system
		}
	}
	return raceFactor * max(1, float64(time.Since(began))/float64(starts*normal))
})
