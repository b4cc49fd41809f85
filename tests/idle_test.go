//go:build linux

package weft_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// An aim finds the time at which a manager leaves because it is idle, as a
// distance from the end of its last task: each time the manager had left
// already, it comes earlier, else later.
type aim struct {
	after  time.Duration
	random *rand.Rand
}

const aimStep = time.Millisecond

func newAim(t *testing.T, lifetime time.Duration) *aim {
	t.Helper()
	return &aim{after: lifetime, random: rand.New(rand.NewPCG(seed(t), 0))}
}

// wait waits for that time. No event announces it beforehand.
func (a *aim) wait(ended int64) {
	moment := time.Unix(0, ended).Add(a.after + time.Duration(a.random.Int64N(int64(aimStep))))
	<-time.After(time.Until(moment))
}

// adjust learns whether the manager had left.
func (a *aim) adjust(left bool) {
	if left {
		a.after -= aimStep
	} else {
		a.after += aimStep
	}
}

// TestIdleExit submits tasks at the time when an idle manager leaves. A
// client that waits would start another one; here the clients only submit, and
// nobody comes after them.
func TestIdleExit(t *testing.T) {
	t.Parallel()
	rounds := waittest.Size(15, 50)
	p := newProject(t, "WEFT_MANAGER_LIFETIME_TIMEOUT=50ms")
	aim := newAim(t, 50*time.Millisecond)
	users := []*client{p.user(), p.user()}
	before := 0
	for range rounds {
		var last int64
		for _, u := range users {
			u.call(call{Do: "submit", Spec: shell("echo done")})
		}
		for _, u := range users {
			task := p.awaitEnd(u.accepted())
			if task.Status != taskspec.StatusCompleted {
				t.Fatalf("got %+v", task)
			}
			last = max(last, task.Completed)
		}
		now := p.managers()
		aim.adjust(now > before)
		before = now
		aim.wait(last)
	}
	// The moment was met where some had left and some had not.
	t.Logf("%d managers have led in %d rounds", p.managers(), rounds)
}

// TestStopIdleExit stops a manager at the time when it leaves by itself:
// the order must not wait for the next one.
func TestStopIdleExit(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MANAGER_LIFETIME_TIMEOUT=20ms", "WEFT_DURABILITY=normal")
	aim := newAim(t, 20*time.Millisecond)
	u := p.user()
	for i := range waittest.Size(15, 50) {
		u.call(call{Do: "run", Spec: shell("echo done")})
		tid := u.accepted()
		u.line()
		aim.wait(p.task(tid).Completed)
		was, err := p.open().Manager().Stop(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		aim.adjust(!was)
		if left, err := p.open().Queue(ledger.ManagerControl).Stats(p.ctx); err != nil || left.Pending != 0 {
			t.Fatalf("round %d: %d orders wait for the next manager (%v)", i, left.Pending, err)
		}
	}
}
