package consumer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPacer reports progress faster than anybody reads it.
func TestPacer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []int64
		p := &progressThrottle{send: func(r WorkerReport) { sent = append(sent, r.Progress.Done) }}
		for i := range int64(100) {
			p.note(i+1, 100, "")
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if len(sent) < 5 || len(sent) > 6 || sent[0] != 1 {
			t.Errorf("sent in a second: %v", sent)
		}
		time.Sleep(progressPause)
		synctest.Wait()
		if sent[len(sent)-1] != 100 {
			t.Errorf("the last was not sent: %v", sent)
		}
		before := len(sent)
		time.Sleep(time.Minute)
		synctest.Wait()
		p.note(101, 0, "")
		p.note(102, 0, "")
		p.flush()
		p.flush()
		if len(sent) != before+2 || sent[len(sent)-1] != 102 {
			t.Errorf("at the end: %v", sent[before:])
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(sent) != before+2 {
			t.Errorf("after the end: %v", sent[before:])
		}
	})
}
