package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"weft/internal/attempt"
)

// The cause of a context's end is the same, whether the function's own process or
// its consumer is first to see that the time is over.
func TestWhyEnded(t *testing.T) {
	t.Parallel()
	e, _ := attempt.Ending{Timeout: 90 * time.Second, Grace: time.Second}.Overtime(time.Now())
	told, own := endCause(e.Reason(), e.Timeout), timeoutCause(e.Timeout)
	if told.Error() != own.Error() || !errors.Is(told, context.DeadlineExceeded) || !errors.Is(own, context.DeadlineExceeded) {
		t.Errorf("told %v, seen %v", told, own)
	}
	e, _ = attempt.Ending{Timeout: time.Second, Grace: time.Second}.Request(RequestStop, time.Now())
	if err := endCause(e.Reason(), e.Timeout); err.Error() != "stopped" || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: %v", err)
	}
}
