//go:build linux

package weft_test

import (
	"syscall"
	"testing"

	"weft"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestFrozenConsumer stops the process that should end a task: its manager ends
// it instead, with all that belongs to the task.
func TestFrozenConsumer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		timeout *float64
		end     func(*weft.Task, *project)
	}{
		"killed":  {end: func(task *weft.Task, p *project) { _, _ = task.Kill(p.ctx) }},
		"stopped": {end: func(task *weft.Task, p *project) { _, _ = task.Stop(p.ctx) }},
		"timeout": {timeout: new(1.5), end: func(*weft.Task, *project) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			spec := shell("trap '' TERM; sleep 61 & sleep 62")
			spec.Spec.Timeout, spec.Spec.StopGrace = test.timeout, new(0.1)
			task, err := p.open().SubmitContext(p.ctx, spec)
			if err != nil {
				t.Fatal(err)
			}
			p.await("the beginning", func(e ledger.Event) bool { return e.TID == task.TID() && e.Event == "work_started" })
			p.signal(p.task(task.TID()).Consumer, syscall.SIGSTOP)
			test.end(task, p)
			s, err := task.Wait(p.ctx)
			if err != nil || s.Status != taskspec.StatusFailed || s.Error != "lost: consumer process died" {
				t.Errorf("task ended as %+v, %v", s, err)
			}
			if got := p.task(task.TID()); got.Epoch != 1 {
				t.Errorf("it was begun %d times", got.Epoch)
			}
			if s, err := p.c.RunContext(p.ctx, weft.Command("true")); err != nil {
				t.Errorf("the next task: %+v, %v", s, err)
			}
		})
	}
}
