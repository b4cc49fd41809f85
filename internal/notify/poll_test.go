package notify

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listenPolling returns a listener of a Notifier that was refused to watch.
func listenPolling(t *testing.T, poll Poll) *Listener {
	t.Helper()
	s := newNotifier(t, newFolder(t), poll)
	s.polling = true // Listen need not try
	l := listen(t, s, "a")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startPolling(errors.New("no watching today"))
	return l
}

func TestPollSlowsDownAndSpeedsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []int64
		start := time.Now()
		l := listenPolling(t, func() (uint64, error) {
			since := time.Since(start).Milliseconds()
			at = append(at, since)
			if since >= 200 {
				return 2, nil
			}
			return 1, nil
		})
		awaitNotified(t, l) // the first poll, whatever it returns
		awaitNotified(t, l)
		if got := time.Since(start).Milliseconds(); got != 212 {
			t.Errorf("the change at 200 ms was noticed at %d ms", got)
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if pending(l) {
			t.Error("woken though nothing has changed")
		}
		want := []int64{0, 2, 6, 14, 30, 62, 112, 162, 212, 214, 218, 226}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("polled at ms (-want +got):\n%s", diff)
		}
	})
}

func TestPollThatFailsWakes(t *testing.T) {
	t.Parallel()
	for name, poll := range map[string]Poll{
		"error":   func() (uint64, error) { return 0, errors.New("disk on fire") },
		"no poll": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := listenPolling(t, poll)
				start := time.Now()
				for range 100 {
					awaitNotified(t, l)
				}
				// 100 polls: six while slowing down, then one each 50 ms.
				if got := time.Since(start); got < 4*time.Second || got > 5*time.Second {
					t.Errorf("100 wakes took %v, want about 50 ms each", got)
				}
			})
		})
	}
}

func TestPollEndsWithItsLastListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		l := listenPolling(t, func() (uint64, error) { polls++; return 0, nil })
		awaitNotified(t, l)
		l.Close()
		l.notifier.running.Wait()
		if polls > 2 {
			t.Errorf("polled %d times for nobody", polls)
		}
	})
}

func TestNextWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wait    time.Duration
		changed bool
		want    time.Duration
	}{
		{pollMin, false, 2 * pollMin},
		{30 * time.Millisecond, false, pollMax},
		{pollMax, false, pollMax},
		{pollMax, true, pollMin},
		{pollMin, true, pollMin},
	} {
		if got := nextWait(tt.wait, tt.changed); got != tt.want {
			t.Errorf("nextWait(%v, %t) = %v, want %v", tt.wait, tt.changed, got, tt.want)
		}
	}
}
