package attempt

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
func meet(e Ending, occasions ...occasion) (after Ending, done []Action) {
	for _, o := range occasions {
		var act Action
		switch o {
		case stopped:
			e, act = e.Request(RequestStop, now)
		case killed:
			e, act = e.Request(RequestKill, now)
		case overtime:
			e, act = e.Overtime(now)
		case limited:
			e, act = e.limit(tooBusy, now)
		case starving:
			e, act = e.limit(tooLarge, now)
		case grace:
			e, act = e.GraceOver()
		}
		done = append(done, act)
	}
	return e, done
}

// TestEndingWithItsProgram ends what runs because its program does.
func TestEndingWithItsProgram(t *testing.T) {
	t.Parallel()
	e, act := Ending{Grace: time.Second}.Request(RequestGiveUp, now)
	if act != Terminate || e.KillAt != now.Add(time.Second) {
		t.Errorf("did %v, kill at %v", act, e.KillAt)
	}
	for exit, want := range map[string]taskspec.Outcome{
		"completed": taskspec.Exited(0, ""), "failed": taskspec.Interrupted(), "killed": taskspec.Interrupted(),
	} {
		ended := map[string]taskspec.Outcome{
			"completed": taskspec.Exited(0, ""), "failed": taskspec.Failed("context canceled"), "killed": taskspec.Signaled(9, "SIGKILL"),
		}[exit]
		if got := e.Outcome(ended); got.Event != want.Event || got.Error != want.Error {
			t.Errorf("%s: ends as %+v, want %+v", exit, got, want)
		}
	}
	if e, _ = e.Request(RequestKill, now); e.Outcome(taskspec.Failed("")).Event != taskspec.EventWorkKilled {
		t.Errorf("a user has killed it: %+v", e.Outcome(taskspec.Failed("")))
	}
}

func TestEnding(t *testing.T) {
	t.Parallel()
	exit := taskspec.Signaled(9, "SIGKILL")
	timedOut := taskspec.TimedOut(time.Minute)
	busy, large := taskspec.Limited(tooBusy.Text, "sampled"), taskspec.Limited(tooLarge.Text, "sampled")
	for _, test := range []struct {
		occasions []occasion
		done      []Action // with a grace
		atOnce    []Action // without
		want      taskspec.Outcome
	}{
		{nil, nil, nil, exit},
		{[]occasion{stopped}, []Action{Terminate}, []Action{Kill}, taskspec.Stopped()},
		{[]occasion{overtime}, []Action{Terminate}, []Action{Kill}, timedOut},
		{[]occasion{killed}, []Action{Kill}, []Action{Kill}, taskspec.Killed()},
		{[]occasion{stopped, grace}, []Action{Terminate, Kill}, nil, taskspec.Stopped()},
		{[]occasion{overtime, grace}, []Action{Terminate, Kill}, nil, timedOut},
		{[]occasion{stopped, stopped}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, taskspec.Stopped()},
		{[]occasion{stopped, overtime}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, taskspec.Stopped()},
		{[]occasion{overtime, stopped}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, timedOut},
		{[]occasion{stopped, killed}, []Action{Terminate, Kill}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{overtime, killed}, []Action{Terminate, Kill}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{killed, killed}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{killed, stopped}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{killed, overtime}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{limited}, []Action{Terminate}, []Action{Kill}, busy},
		{[]occasion{starving}, []Action{Kill}, []Action{Kill}, large},
		{[]occasion{limited, grace}, []Action{Terminate, Kill}, nil, busy},
		{[]occasion{starving, starving}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, large},
		{[]occasion{limited, starving}, []Action{Terminate, Kill}, []Action{Kill, Nothing}, busy},
		{[]occasion{limited, overtime}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, busy},
		{[]occasion{overtime, limited}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, timedOut},
		{[]occasion{stopped, limited}, []Action{Terminate, Nothing}, []Action{Kill, Nothing}, taskspec.Stopped()},
		{[]occasion{stopped, starving}, []Action{Terminate, Kill}, []Action{Kill, Nothing}, taskspec.Stopped()},
		{[]occasion{starving, stopped}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, large},
		{[]occasion{limited, killed}, []Action{Terminate, Kill}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{starving, killed}, []Action{Kill, Nothing}, []Action{Kill, Nothing}, taskspec.Killed()},
		{[]occasion{stopped, killed, grace}, []Action{Terminate, Kill, Nothing}, nil, taskspec.Killed()},
		{[]occasion{stopped, grace, killed}, []Action{Terminate, Kill, Nothing}, nil, taskspec.Killed()},
	} {
		for wait, want := range map[time.Duration][]Action{5 * time.Second: test.done, 0: test.atOnce} {
			if want == nil && test.occasions != nil {
				continue // a grace that is not given is not over either
			}
			e, done := meet(Ending{Timeout: time.Minute, Grace: wait}, test.occasions...)
			if !slices.Equal(want, done) {
				t.Errorf("%v with a grace of %v: did %v, want %v", test.occasions, wait, done, want)
			}
			if got := e.Outcome(exit); got.Event != test.want.Event || got.Error != test.want.Error || *got.ReturnCode != *test.want.ReturnCode {
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
	e, done := meet(Ending{Timeout: time.Minute, Grace: wait}, occasions...)
	asked := slices.IndexFunc(occasions, func(o occasion) bool { return o != killed && o != grace })
	gentle := asked >= 0 && occasions[asked] != starving && wait > 0
	byKill := slices.Index(occasions, killed)
	over, starved := slices.Index(occasions, grace), slices.Index(occasions, starving)
	terminated, ended := slices.Index(done, Terminate), slices.Index(done, Kill)

	// What the end is: a Kill counts most, then who was first.
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
	count := func(a Action) (n int) {
		for _, d := range done {
			if d == a {
				n++
			}
		}
		return n
	}
	switch got := e.Outcome(exit); {
	case got.Event != want.Event || got.Error != want.Error:
		return fmt.Sprintf("ends as %+v, want %+v", got, want)
	case ended != at:
		return fmt.Sprintf("did %v, want SIGKILL at %d", done, at)
	case count(Kill) > 1 || count(Terminate) > 1:
		return fmt.Sprintf("did %v: the same twice", done)
	case terminated >= 0 && ended >= 0 && terminated > ended:
		return fmt.Sprintf("did %v: SIGTERM after SIGKILL", done)
	case terminated >= 0 && (!gentle || terminated != asked):
		return fmt.Sprintf("did %v: SIGTERM that nobody asked for", done)
	case terminated < 0 && gentle && (ended < 0 || asked < ended):
		return fmt.Sprintf("did %v: no SIGTERM", done)
	case terminated >= 0 && ended < 0 && !e.KillAt.Equal(now.Add(wait)):
		return fmt.Sprintf("SIGKILL is due at %v", e.KillAt)
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
	kernel := func(e Ending) Ending { return e.outOfMemory(100, 99.9) }
	limit := func(v monitor.Violation) func(Ending) Ending {
		return func(e Ending) Ending { e, _ = e.limit(v, now); return e }
	}
	stop := func(e Ending) Ending { e, _ = e.Request(RequestStop, now); return e }
	for name, test := range map[string]struct {
		grace   time.Duration
		happens []func(Ending) Ending
		exit    taskspec.Outcome
		want    taskspec.Outcome
	}{
		"it was killed":                      {time.Second, []func(Ending) Ending{limit(tooLarge)}, dead, large},
		"it was over":                        {time.Second, []func(Ending) Ending{limit(tooLarge)}, fine, fine},
		"it had failed":                      {time.Second, []func(Ending) Ending{limit(tooLarge)}, ill, ill},
		"it was over, no grace":              {0, []func(Ending) Ending{limit(tooBusy)}, fine, fine},
		"it obeyed":                          {time.Second, []func(Ending) Ending{limit(tooBusy)}, fine, busy},
		"the kernel killed it":               {time.Second, []func(Ending) Ending{kernel}, dead, starved},
		"the kernel killed what it had left": {time.Second, []func(Ending) Ending{kernel}, fine, fine},
		"the kernel killed it while stopped": {time.Second, []func(Ending) Ending{stop, kernel}, dead, taskspec.Stopped()},
		"the kernel killed it while ending":  {time.Second, []func(Ending) Ending{limit(tooBusy), kernel}, dead, busy},
	} {
		e := Ending{Grace: test.grace}
		for _, happen := range test.happens {
			e = happen(e)
		}
		if got := e.Outcome(test.exit); got.Error != test.want.Error || got.LimitMeans != test.want.LimitMeans || got.Event != test.want.Event {
			t.Errorf("%s: ends as %+v, want %+v", name, got, test.want)
		}
	}
}

// A request that is none changes Nothing.
func TestNoRequest(t *testing.T) {
	t.Parallel()
	for _, r := range []Request{NoRequest, "pause"} {
		if e, act := (Ending{Grace: 1}).Request(r, now); act != Nothing || e != (Ending{Grace: 1}) {
			t.Errorf("request %q: %v, %+v", r, act, e)
		}
	}
}
