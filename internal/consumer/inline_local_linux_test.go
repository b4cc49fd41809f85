package consumer

import (
	"context"
	"testing"
	"testing/synctest"

	"weft/internal/ledger"
	"weft/taskspec"
)

// newVisit is a visit that nobody has ended, and what tells that nobody will.
func newVisit() (v *LocalRun, over chan struct{}) {
	over = make(chan struct{})
	return &LocalRun{over: over, ended: make(chan struct{})}, over
}

// TestVisitHandsOver has a result go to who waits to take it, once.
func TestVisitHandsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, over := newVisit()
		type got struct {
			task  *ledger.Task
			value string
			taken bool
		}
		answers := make(chan got, 2)
		for range 2 {
			go func() {
				task, value, taken := v.Take(t.Context())
				answers <- got{task, string(value), taken}
			}()
		}
		synctest.Wait()
		if !v.wantsResult() || v.wantsResult() {
			t.Error("a result that is waited for is not handed over, or twice")
		}
		task := &ledger.Task{Status: taskspec.StatusCompleted}
		v.end(task, []byte("3"))
		close(over) // the server has ended too, and that makes no difference
		one, other := <-answers, <-answers
		if !one.taken {
			one, other = other, one
		}
		if one != (got{task, "3", true}) || other != (got{task, "", false}) {
			t.Errorf("the takers got %+v and %+v", one, other)
		}
		if l := v.Wait(t.Context()); l != task {
			t.Errorf("who only waits gets %+v", l)
		}
	})
}

// TestVisitKeepsInStore has a result stay in the store that nobody waits to take when
// the task ends, and come out of it no more if the wait ends too late.
func TestVisitKeepsInStore(t *testing.T) {
	t.Parallel()
	done := &ledger.Task{Status: taskspec.StatusFailed}
	for _, test := range []struct {
		name        string
		leave, hand string // in which order
		taken       bool
	}{
		{"left before", "first", "second", false},
		{"left after", "second", "first", true},
		{"never left", "", "first", true},
		{"nobody", "only", "first", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			v, _ := newVisit()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			answer := make(chan bool, 1)
			take := func() { _, _, taken := v.Take(ctx); answer <- taken }
			if test.leave != "only" {
				go take()
				synctest.Wait()
			}
			if test.leave == "first" {
				leave()
				synctest.Wait()
			}
			handed := v.wantsResult()
			if test.leave == "second" {
				leave()
				synctest.Wait()
			}
			v.end(done, []byte("x"))
			if test.leave == "only" {
				go take()
			}
			if taken := <-answer; taken != test.taken || taken != handed {
				t.Errorf("%s: taken %t, handed over %t, want %t", test.name, taken, handed, test.taken)
			}
			if v.value != nil { // it may be large
				t.Errorf("%s: the visit keeps the result", test.name)
			}
		})
	}
}

// TestVisitOfOthers has those who wait for a task that goes on elsewhere look there.
func TestVisitOfOthers(t *testing.T) {
	t.Parallel()
	v, over := newVisit()
	close(over)
	if task, _, taken := v.Take(t.Context()); task != nil || taken {
		t.Errorf("its server has ended: %+v, %t", task, taken)
	}
	v, _ = newVisit()
	v.end(&ledger.Task{Status: taskspec.StatusCreated}, nil)
	if task, _, taken := v.Take(t.Context()); task != nil || taken {
		t.Errorf("another attempt follows: %+v, %t", task, taken)
	}
}
