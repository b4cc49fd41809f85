package manager

import (
	"testing"
	"testing/synctest"
	"time"
)

// A manager that sleeps until its agenda says looks at the moment at which the
// next task is due, and not before.
func TestAgenda(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if a := (delays{}); a.due(time.Now()) || !a.wake(false).IsZero() {
			t.Error("nobody waits, and somebody is due")
		}
		if a := (delays{stale: true}); !a.due(time.Now()) {
			t.Error("others may be due, and nobody looks")
		}
		began := time.Now()
		a := delays{next: time.Unix(0, began.Add(90*time.Second).UnixNano())} // as the store has it
		if !a.wake(true).IsZero() {
			t.Error("a manager that stops wakes for new work")
		}
		looks := 0
		for !a.due(time.Now()) {
			timer := time.NewTimer(time.Until(earliest(time.Now().Add(time.Minute), a.wake(false), time.Time{})))
			<-timer.C
			looks++
		}
		if waited := time.Since(began); waited != 90*time.Second || looks != 2 {
			t.Errorf("due after %v and %d looks, want 1m30s and 2", waited, looks)
		}
	})
}
