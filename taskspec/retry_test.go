package taskspec

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRetryNext(t *testing.T) {
	t.Parallel()
	steady := func(edit func(*RetryPolicy)) *RetryPolicy {
		r := &RetryPolicy{Jitter: new(0.0)}
		edit(r)
		return r
	}
	plain := steady(func(*RetryPolicy) {})
	failed, lost := Exited(1, ""), Lost()
	tests := map[string]struct {
		policy  *RetryPolicy
		attempt int
		outcome Outcome
		random  float64
		wait    time.Duration
		again   bool
	}{
		"no policy":          {nil, 1, failed, 0, 0, false},
		"first":              {plain, 1, failed, 0, time.Second, true},
		"second":             {plain, 2, failed, 0, 2 * time.Second, true},
		"third is the last":  {plain, 3, failed, 0, 0, false},
		"beyond the last":    {plain, 9, failed, 0, 0, false},
		"completed":          {plain, 1, Exited(0, ""), 0, 0, false},
		"stopped":            {plain, 1, Stopped(), 0, 0, false},
		"killed":             {plain, 1, Killed(), 0, 0, false},
		"timeout":            {plain, 1, TimedOut(1), 0, time.Second, true},
		"limit":              {plain, 1, Limited("", ""), 0, time.Second, true},
		"lost":               {plain, 1, lost, 0, time.Second, true},
		"interrupted":        {plain, 3, Interrupted(), 0, 0, true}, // it is not counted
		"interrupted, plain": {nil, 1, Interrupted(), 0, 0, false},
		"not found":          {plain, 1, NotStarted(true, ""), 0, time.Second, true},
		"not asked for":      {steady(func(r *RetryPolicy) { r.On = []string{RetryOnLost} }), 1, failed, 0, 0, false},
		"asked for":          {steady(func(r *RetryPolicy) { r.On = []string{RetryOnLost} }), 1, lost, 0, time.Second, true},
		"on nothing":         {steady(func(r *RetryPolicy) { r.On = []string{} }), 1, failed, 0, 0, false},
		"one attempt":        {steady(func(r *RetryPolicy) { r.MaxAttempts = new(1) }), 1, failed, 0, 0, false},
		"at once":            {steady(func(r *RetryPolicy) { r.Backoff = new(time.Duration(0)) }), 2, failed, 0, 0, true},
		"at most a minute":   {steady(func(r *RetryPolicy) { r.MaxAttempts = new(99) }), 50, failed, 0, time.Minute, true},
		"many attempts":      {steady(func(r *RetryPolicy) { r.MaxAttempts = new(99_999) }), 9999, failed, 0, time.Minute, true},
		"a longer first":     {steady(func(r *RetryPolicy) { r.Backoff = new(90 * time.Second) }), 2, failed, 0, 90 * time.Second, true},
		"a shorter most":     {steady(func(r *RetryPolicy) { r.MaxBackoff = new(250 * time.Millisecond) }), 1, failed, 0, 250 * time.Millisecond, true},
		"no jitter by luck":  {&RetryPolicy{}, 1, failed, 0, time.Second, true},
		"half of the jitter": {&RetryPolicy{}, 1, failed, 0.5, 950 * time.Millisecond, true},
		"all jitter":         {&RetryPolicy{Jitter: new(1.0)}, 2, failed, 0.75, 500 * time.Millisecond, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait, again := test.policy.Next(test.attempt, test.outcome, test.random)
			if wait != test.wait || again != test.again {
				t.Errorf("got %v, %v; want %v, %v", wait, again, test.wait, test.again)
			}
		})
	}
}

// Whatever the policy, there are as many attempts as it says, none after an end
// that somebody asked for, and no wait is longer than the longest, or shorter
// than jitter lets it be.
func TestRetryNextRandom(t *testing.T) {
	t.Parallel()
	outcomes := []Outcome{Exited(1, ""), TimedOut(1), Limited("", ""), Lost(), Stopped(), Killed(), Exited(0, "")}
	rapid.Check(t, func(t *rapid.T) {
		p := &RetryPolicy{
			MaxAttempts: new(rapid.IntRange(1, 200).Draw(t, "attempts")),
			Backoff:     new(seconds(rapid.Float64Range(0, maxSeconds).Draw(t, "backoff"))),
			MaxBackoff:  new(seconds(rapid.Float64Range(0, maxSeconds).Draw(t, "most"))),
			Jitter:      new(rapid.Float64Range(0, 1).Draw(t, "jitter")),
		}
		o := rapid.SampledFrom(outcomes).Draw(t, "outcome")
		random := rapid.Float64Range(0, 0.999).Draw(t, "random")
		attempts, before := 1, time.Duration(-1)
		for ; ; attempts++ {
			wait, again := p.Next(attempts, o, random)
			if !again {
				break
			}
			if wait < before || wait > *p.MaxBackoff {
				t.Fatalf("waits %v after %v", wait, before)
			}
			if least := time.Duration(float64(min(*p.Backoff, *p.MaxBackoff)) * (1 - *p.Jitter)); wait < least-1 {
				t.Fatalf("waits %v, at least %v", wait, least)
			}
			before = wait
		}
		want := 1
		if retryCause(o) != "" {
			want = *p.MaxAttempts
		}
		if attempts != want {
			t.Fatalf("%d attempts, want %d", attempts, want)
		}
	})
}

// What is resolved says all that a policy left to its defaults.
func TestRetryResolve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ policy, want *RetryPolicy }{
		{nil, nil},
		{&RetryPolicy{}, &RetryPolicy{new(3), new(time.Second), new(time.Minute), new(0.1), retryCauses()}},
		{&RetryPolicy{Backoff: new(100 * time.Second), On: []string{}}, &RetryPolicy{new(3), new(100 * time.Second), new(100 * time.Second), new(0.1), []string{}}},
	} {
		s := command()
		s.Retry = test.policy
		if diff := cmp.Diff(test.want, s.Resolve(testTID, "/p").Retry); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.policy, diff)
		}
	}
	if n := (*RetryPolicy)(nil).Attempts(); n != 1 {
		t.Errorf("%d attempts without a policy", n)
	}
}
