package runner

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The cause of a context's end is the same, whether the function's own process or
// its consumer is first to see that the time is over.
func TestWhyEnded(t *testing.T) {
	t.Parallel()
	e, _ := ending{timeout: 90 * time.Second, grace: time.Second}.overtime(time.Now())
	told, own := endCause(e.reason(), e.timeout), timeoutCause(e.timeout)
	if told.Error() != own.Error() || !errors.Is(told, context.DeadlineExceeded) || !errors.Is(own, context.DeadlineExceeded) {
		t.Errorf("told %v, seen %v", told, own)
	}
	e, _ = ending{timeout: time.Second, grace: time.Second}.request(RequestStop, time.Now())
	if err := endCause(e.reason(), e.timeout); err.Error() != "stopped" || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: %v", err)
	}
}
