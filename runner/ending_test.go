package runner

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weft/monitor"
	"weft/taskspec"
)

// An occasion is what can happen to a running task from outside.
type occasion string

const (
	stopped  occasion = "stop"
	killed   occasion = "kill"
	overtime occasion = "timeout"
	limited  occasion = "limit"
	starving occasion = "memory limit"
	grace    occasion = "grace over"
)

// The violations of these limits, which have a grace and none.
var (
	tooBusy  = monitor.Violation{Text: "cpu 99.0% > 25%", Means: monitor.MeansSampled}
	tooLarge = monitor.Violation{Text: "memory 140.2 MB > 100 MB", Means: monitor.MeansSampled, AtOnce: true}
)

// now is when everything happens.
var now = time.Unix(1_763_740_800, 0)

// meet lets the occasions happen one after the other and returns what was done
// at each.
func meet(e ending, occasions ...occasion) (after ending, done []action) {
	for _, o := range occasions {
		var act action
		switch o {
		case stopped:
			e, act = e.request(RequestStop, now)
		case killed:
			e, act = e.request(RequestKill, now)
		case overtime:
			e, act = e.overtime(now)
		case limited:
			e, act = e.limit(tooBusy, now)
		case starving:
			e, act = e.limit(tooLarge, now)
		case grace:
			e, act = e.graceOver()
		}
		done = append(done, act)
	}
	return e, done
}

func TestEnding(t *testing.T) {
	t.Parallel()
	exit := taskspec.Signaled(9, "SIGKILL")
	timedOut := taskspec.TimedOut(time.Minute)
	busy, large := taskspec.Limited(tooBusy.Text, "sampled"), taskspec.Limited(tooLarge.Text, "sampled")
	for _, test := range []struct {
		occasions []occasion
		done      []action // with a grace
		atOnce    []action // without
		want      taskspec.Outcome
	}{
		{nil, nil, nil, exit},
		{[]occasion{stopped}, []action{terminate}, []action{kill}, taskspec.Stopped()},
		{[]occasion{overtime}, []action{terminate}, []action{kill}, timedOut},
		{[]occasion{killed}, []action{kill}, []action{kill}, taskspec.Killed()},
		{[]occasion{stopped, grace}, []action{terminate, kill}, nil, taskspec.Stopped()},
		{[]occasion{overtime, grace}, []action{terminate, kill}, nil, timedOut},
		{[]occasion{stopped, stopped}, []action{terminate, nothing}, []action{kill, nothing}, taskspec.Stopped()},
		{[]occasion{stopped, overtime}, []action{terminate, nothing}, []action{kill, nothing}, taskspec.Stopped()},
		{[]occasion{overtime, stopped}, []action{terminate, nothing}, []action{kill, nothing}, timedOut},
		{[]occasion{stopped, killed}, []action{terminate, kill}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{overtime, killed}, []action{terminate, kill}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{killed, killed}, []action{kill, nothing}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{killed, stopped}, []action{kill, nothing}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{killed, overtime}, []action{kill, nothing}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{limited}, []action{terminate}, []action{kill}, busy},
		{[]occasion{starving}, []action{kill}, []action{kill}, large},
		{[]occasion{limited, grace}, []action{terminate, kill}, nil, busy},
		{[]occasion{starving, starving}, []action{kill, nothing}, []action{kill, nothing}, large},
		{[]occasion{limited, starving}, []action{terminate, kill}, []action{kill, nothing}, busy},
		{[]occasion{limited, overtime}, []action{terminate, nothing}, []action{kill, nothing}, busy},
		{[]occasion{overtime, limited}, []action{terminate, nothing}, []action{kill, nothing}, timedOut},
		{[]occasion{stopped, limited}, []action{terminate, nothing}, []action{kill, nothing}, taskspec.Stopped()},
		{[]occasion{stopped, starving}, []action{terminate, kill}, []action{kill, nothing}, taskspec.Stopped()},
		{[]occasion{starving, stopped}, []action{kill, nothing}, []action{kill, nothing}, large},
		{[]occasion{limited, killed}, []action{terminate, kill}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{starving, killed}, []action{kill, nothing}, []action{kill, nothing}, taskspec.Killed()},
		{[]occasion{stopped, killed, grace}, []action{terminate, kill, nothing}, nil, taskspec.Killed()},
		{[]occasion{stopped, grace, killed}, []action{terminate, kill, nothing}, nil, taskspec.Killed()},
	} {
		for wait, want := range map[time.Duration][]action{5 * time.Second: test.done, 0: test.atOnce} {
			if want == nil && test.occasions != nil {
				continue // a grace that is not given is not over either
			}
			e, done := meet(ending{timeout: time.Minute, grace: wait}, test.occasions...)
			if !slices.Equal(want, done) {
				t.Errorf("%v with a grace of %v: did %v, want %v", test.occasions, wait, done, want)
			}
			if got := e.outcome(exit); got.Event != test.want.Event || got.Error != test.want.Error || *got.ReturnCode != *test.want.ReturnCode {
				t.Errorf("%v with a grace of %v ends as %+v, want %+v", test.occasions, wait, got, test.want)
			}
		}
	}
}

// TestEndingOrders tries every order of up to five occasions, repetitions
// included, and checks what holds for each.
func TestEndingOrders(t *testing.T) {
	t.Parallel()
	var orders func(prefix []occasion, length int)
	tried := 0
	orders = func(prefix []occasion, length int) {
		for _, wait := range []time.Duration{0, time.Second} {
			if problem := checkOrder(wait, prefix); problem != "" {
				t.Errorf("%v with a grace of %v: %s", prefix, wait, problem)
			}
		}
		tried++
		if length == 0 {
			return
		}
		for _, o := range []occasion{stopped, killed, overtime, limited, starving, grace} {
			// The grace can only be over once it has begun.
			if o != grace || slices.ContainsFunc(prefix, func(o occasion) bool { return o == stopped || o == overtime || o == limited }) {
				orders(append(slices.Clone(prefix), o), length-1)
			}
		}
	}
	orders(nil, 5)
	if tried < 5000 {
		t.Errorf("tried %d orders only", tried)
	}
}

func checkOrder(wait time.Duration, occasions []occasion) (problem string) {
	e, done := meet(ending{timeout: time.Minute, grace: wait}, occasions...)
	asked := slices.IndexFunc(occasions, func(o occasion) bool { return o != killed && o != grace })
	gentle := asked >= 0 && occasions[asked] != starving && wait > 0
	byKill := slices.Index(occasions, killed)
	over, starved := slices.Index(occasions, grace), slices.Index(occasions, starving)
	terminated, ended := slices.Index(done, terminate), slices.Index(done, kill)

	// What the end is: a kill counts most, then who was first.
	exit := taskspec.Signaled(9, "SIGKILL")
	want := exit
	switch {
	case byKill >= 0:
		want = taskspec.Killed()
	case asked >= 0 && occasions[asked] == stopped:
		want = taskspec.Stopped()
	case asked >= 0 && occasions[asked] == limited:
		want = taskspec.Limited(tooBusy.Text, "sampled")
	case asked >= 0 && occasions[asked] == starving:
		want = taskspec.Limited(tooLarge.Text, "sampled")
	case asked >= 0:
		want = taskspec.TimedOut(time.Minute)
	}
	// When SIGKILL comes: at the first of what calls for it.
	at := -1
	for _, i := range []int{byKill, over, starved} {
		if i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if wait == 0 && asked >= 0 && (at < 0 || asked < at) {
		at = asked
	}
	count := func(a action) (n int) {
		for _, d := range done {
			if d == a {
				n++
			}
		}
		return n
	}
	switch got := e.outcome(exit); {
	case got.Event != want.Event || got.Error != want.Error:
		return fmt.Sprintf("ends as %+v, want %+v", got, want)
	case ended != at:
		return fmt.Sprintf("did %v, want SIGKILL at %d", done, at)
	case count(kill) > 1 || count(terminate) > 1:
		return fmt.Sprintf("did %v: the same twice", done)
	case terminated >= 0 && ended >= 0 && terminated > ended:
		return fmt.Sprintf("did %v: SIGTERM after SIGKILL", done)
	case terminated >= 0 && (!gentle || terminated != asked):
		return fmt.Sprintf("did %v: SIGTERM that nobody asked for", done)
	case terminated < 0 && gentle && (ended < 0 || asked < ended):
		return fmt.Sprintf("did %v: no SIGTERM", done)
	case terminated >= 0 && ended < 0 && !e.killAt.Equal(now.Add(wait)):
		return fmt.Sprintf("SIGKILL is due at %v", e.killAt)
	}
	return ""
}

// A task may be over before its limit can end it, and the kernel may end it
// before anybody here knows.
func TestEndingAtLimit(t *testing.T) {
	t.Parallel()
	fine, ill, dead := taskspec.Exited(0, ""), taskspec.Exited(3, ""), taskspec.Signaled(9, "SIGKILL")
	busy, large := taskspec.Limited(tooBusy.Text, "sampled"), taskspec.Limited(tooLarge.Text, "sampled")
	starved := taskspec.Limited("memory 99.9 MB > 100 MB", "cgroup")
	kernel := func(e ending) ending { return e.outOfMemory(100, 99.9) }
	limit := func(v monitor.Violation) func(ending) ending {
		return func(e ending) ending { e, _ = e.limit(v, now); return e }
	}
	stop := func(e ending) ending { e, _ = e.request(RequestStop, now); return e }
	for name, test := range map[string]struct {
		grace   time.Duration
		happens []func(ending) ending
		exit    taskspec.Outcome
		want    taskspec.Outcome
	}{
		"it was killed":                      {time.Second, []func(ending) ending{limit(tooLarge)}, dead, large},
		"it was over":                        {time.Second, []func(ending) ending{limit(tooLarge)}, fine, fine},
		"it had failed":                      {time.Second, []func(ending) ending{limit(tooLarge)}, ill, ill},
		"it was over, no grace":              {0, []func(ending) ending{limit(tooBusy)}, fine, fine},
		"it obeyed":                          {time.Second, []func(ending) ending{limit(tooBusy)}, fine, busy},
		"the kernel killed it":               {time.Second, []func(ending) ending{kernel}, dead, starved},
		"the kernel killed what it had left": {time.Second, []func(ending) ending{kernel}, fine, fine},
		"the kernel killed it while stopped": {time.Second, []func(ending) ending{stop, kernel}, dead, taskspec.Stopped()},
		"the kernel killed it while ending":  {time.Second, []func(ending) ending{limit(tooBusy), kernel}, dead, busy},
	} {
		e := ending{grace: test.grace}
		for _, happen := range test.happens {
			e = happen(e)
		}
		if got := e.outcome(test.exit); got.Error != test.want.Error || got.LimitMeans != test.want.LimitMeans || got.Event != test.want.Event {
			t.Errorf("%s: ends as %+v, want %+v", name, got, test.want)
		}
	}
}

// A request that is none changes nothing.
func TestNoRequest(t *testing.T) {
	t.Parallel()
	for _, r := range []Request{NoRequest, "pause"} {
		if e, act := (ending{grace: 1}).request(r, now); act != nothing || e != (ending{grace: 1}) {
			t.Errorf("request %q: %v, %+v", r, act, e)
		}
	}
}
