//go:build linux

package weft_test

import (
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestStoppedConsumer stops the process that should end a task: its manager ends
// it instead, with all that belongs to the task.
func TestStoppedConsumer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end func(*weft.Task, *project) // nil: its time is over
	}{
		"killed":  {func(task *weft.Task, p *project) { _, _ = task.Kill(p.ctx) }},
		"stopped": {func(task *weft.Task, p *project) { _, _ = task.Stop(p.ctx) }},
		"timeout": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
				spec := shell("trap '' TERM; sleep 1001 & sleep 1002")
				spec.StopGrace = new(100 * time.Millisecond)
				if test.end == nil {
					spec.Timeout = timeout
				}
				task, err := p.open().SubmitContext(p.ctx, spec)
				if err != nil {
					t.Fatal(err)
				}
				p.await("the beginning", func(e ledger.Event) bool { return e.TID == task.TID() && e.Event == "work_started" })
				p.signal(p.task(task.TID()).Consumer, syscall.SIGSTOP)
				if test.end != nil {
					test.end(task, p)
				}
				s, err := task.Wait(p.ctx)
				if err == nil && test.end == nil && s.Status == taskspec.StatusTimeout {
					return false // its consumer still ended it
				}
				if err != nil || s.Status != taskspec.StatusFailed || s.Error != "lost: consumer process died" {
					t.Errorf("task ended as %+v, %v", s, err)
				}
				if got := p.task(task.TID()); got.Epoch != 1 {
					t.Errorf("it was begun %d times", got.Epoch)
				}
				return true
			})
			if s, err := p.project.RunContext(p.ctx, weft.Command("true")); err != nil {
				t.Errorf("the next task: %+v, %v", s, err)
			}
		})
	}
}
