package taskspec

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// RetryPolicy says when an attempt at a task that did not complete is followed by
// another. A nil field means its default; the zero value is three attempts, a
// second or two apart.
type RetryPolicy struct {
	// MaxAttempts is how many attempts there may be, the first included: from 1
	// to 1,000,000, by default 3.
	MaxAttempts *int `json:"max_attempts,omitempty"`
	// Backoff is the time between the end of the first attempt and the second, by
	// default 1 s. It doubles from attempt to attempt.
	Backoff *time.Duration `json:"backoff_seconds,omitempty"`
	// MaxBackoff is the longest that time gets, by default a minute, or Backoff if
	// that is more.
	MaxBackoff *time.Duration `json:"max_backoff_seconds,omitempty"`
	// Jitter is by how much of itself that time may be shorter, at random: from 0
	// to 1, by default 0.1.
	Jitter *float64 `json:"jitter,omitempty"`
	// On are the ends that are followed by another attempt, by default all that
	// there are: [RetryOnError], [RetryOnTimeout], [RetryOnLimit], [RetryOnLost].
	On []string `json:"on,omitzero"`
}

// The values of [RetryPolicy.On]. What ended by a stop or a kill is never retried.
const (
	RetryOnError   = "error"   // it failed, or could not be started
	RetryOnTimeout = "timeout" // it took longer than spec.timeout
	RetryOnLimit   = "limit"   // it went over a limit
	RetryOnLost    = "lost"    // its consumer died
)

// retryCauses are the values of [RetryPolicy.On].
func retryCauses() []string { return []string{RetryOnError, RetryOnTimeout, RetryOnLimit, RetryOnLost} }

// Defaults of [RetryPolicy], and the most attempts: more than anybody waits for.
const (
	defaultAttempts    = 3
	defaultBackoff     = time.Second
	defaultMostBackoff = time.Minute
	defaultJitter      = 0.1
	maxAttempts        = 1_000_000
)

// Attempts returns how many attempts there may be, 1 if r is nil.
func (r *RetryPolicy) Attempts() int {
	if r == nil {
		return 1
	}
	return valueOr(r.MaxAttempts, defaultAttempts)
}

// resolve returns a copy with its defaults filled in.
func (r *RetryPolicy) resolve() *RetryPolicy {
	if r == nil {
		return nil
	}
	backoff := valueOr(r.Backoff, defaultBackoff)
	on := retryCauses()
	if r.On != nil {
		on = append([]string{}, r.On...)
	}
	return &RetryPolicy{
		MaxAttempts: new(r.Attempts()),
		Backoff:     &backoff,
		MaxBackoff:  new(valueOr(r.MaxBackoff, max(defaultMostBackoff, backoff))),
		Jitter:      new(valueOr(r.Jitter, defaultJitter)),
		On:          on,
	}
}

// Next decides what follows an attempt that ended with o: whether there is
// another one, and how long to wait for it. attempt counts from 1; random is at
// least 0 and less than 1. A nil policy never tries again. An attempt that was interrupted
// is followed by another at once, whatever the policy says, as it is not counted.
//
// The time to wait is Backoff times 2 for each attempt after the first, at most
// MaxBackoff, less the share of it that jitter times random is.
func (r *RetryPolicy) Next(attempt int, o Outcome, random float64) (wait time.Duration, again bool) {
	if r == nil {
		return 0, false
	}
	if o.Event == EventWorkInterrupted {
		return 0, true
	}
	full := r.resolve()
	if attempt >= *full.MaxAttempts || !slices.Contains(full.On, retryCause(o)) {
		return 0, false
	}
	backoff := doubled(*full.Backoff, attempt-1, *full.MaxBackoff)
	return time.Duration(math.Round(float64(backoff) * (1 - *full.Jitter*random))), true
}

// MaxRest is the longest [ItemRest].
const MaxRest = time.Minute

// ItemRest is how long a persistent task leaves an item alone that it has failed on
// so many times in a row and that its policy puts back: 1 s, doubling to 60 s. An
// item that cannot be done must not keep the task, and the store, busy.
func ItemRest(failures int) time.Duration {
	return doubled(time.Second, failures-1, MaxRest)
}

// retryCause is how [RetryPolicy.On] names the end; empty for one that is never
// followed by another attempt.
func retryCause(o Outcome) string {
	switch o.Event {
	case EventWorkFailed:
		return RetryOnError
	case EventWorkTimeout:
		return RetryOnTimeout
	case EventWorkLimitViolation:
		return RetryOnLimit
	case EventWorkLost:
		return RetryOnLost
	}
	return ""
}

// retryJSON is a [RetryPolicy] as it is in JSON.
type retryJSON struct {
	MaxAttempts *int     `json:"max_attempts,omitempty"`
	Backoff     *float64 `json:"backoff_seconds,omitempty"`
	MaxBackoff  *float64 `json:"max_backoff_seconds,omitempty"`
	Jitter      *float64 `json:"jitter,omitempty"`
	On          []string `json:"on,omitzero"`
}

// MarshalJSON writes the policy, times in seconds.
func (r RetryPolicy) MarshalJSON() ([]byte, error) {
	return json.Marshal(retryJSON{r.MaxAttempts, inSeconds(r.Backoff), inSeconds(r.MaxBackoff), r.Jitter, r.On})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *RetryPolicy) UnmarshalJSON(data []byte) error {
	var v retryJSON
	err := json.Unmarshal(data, &v)
	*r = RetryPolicy{v.MaxAttempts, fromSeconds(v.Backoff), fromSeconds(v.MaxBackoff), v.Jitter, v.On}
	return err
}

// inSeconds is an optional time as it is in JSON.
func inSeconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
}

// fromSeconds is the inverse of inSeconds.
func fromSeconds(s *float64) *time.Duration {
	if s == nil {
		return nil
	}
	return new(seconds(*s))
}
