//go:build linux

package weft_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"weft/internal/waittest"
	"weft/taskspec"
)

// graceOf is what the tasks of these tests get between SIGTERM and SIGKILL.
const graceOf = time.Second

// stubborn is a task that ignores SIGTERM. It tells that it has begun.
func stubborn(tell *waittest.FIFO) *taskspec.Spec {
	s := shell(`trap "" TERM; echo "$WEFT_TID" >"$1"; while :; do sleep 1000; done`, tell.Path)
	s.StopGrace = new(graceOf)
	return s
}

// TestEndTask stops and kills tasks in every state in which there is something
// to end: nothing of them is left, and each waiting client is told the truth.
func TestEndTask(t *testing.T) {
	tests := []struct {
		do     string
		state  string // of the task: running, queued, or alone
		status taskspec.Status
		code   int
		least  time.Duration // until the end
		most   time.Duration
	}{
		{"stop", "running", taskspec.StatusCancelled, 143, time.Second, 2 * time.Second},
		{"kill", "running", taskspec.StatusKilled, 137, 0, time.Second},
		{"stop", "queued", taskspec.StatusCancelled, 143, 0, time.Second},
		{"kill", "queued", taskspec.StatusKilled, 137, 0, time.Second},
		{"stop", "alone", taskspec.StatusCancelled, 143, time.Second, 2 * time.Second},
		{"kill", "alone", taskspec.StatusKilled, 137, 0, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.do+" "+tt.state, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal")
			tell, proceed := p.fifo("tell"), p.fifo("proceed")
			var blocker *client
			if tt.state == "queued" {
				blocker, _ = p.run(blocked(tell, proceed, "blocker"))
				tell.Read()
			}
			victim, tid := p.run(stubborn(tell))
			if tt.state != "queued" {
				tell.Read()
			}
			if tt.state == "alone" {
				p.kill(p.manager())
			}
			user := p.user()
			began := time.Now()
			user.call(call{Do: tt.do, TID: tid})
			for _, c := range []*client{user, victim} {
				got := c.line()
				took := time.Since(began)
				if got.Status != tt.status || got.Code == nil || *got.Code != tt.code {
					t.Errorf("got %+v, want %s with code %d", got, tt.status, tt.code)
				}
				if took < tt.least {
					t.Errorf("ended after %v, want %v", took, tt.least)
				}
				waittest.Bound(t, "the end", took, tt.most)
			}
			if blocker != nil {
				proceed.Open(1)
				if got := blocker.answer(); got.Output != "blocker\n" {
					t.Errorf("the task before it: got %+v", got)
				}
			}
		})
	}
}

// TestTimeoutAlone has the time of a task run out while its consumer is alone.
// No client waits, so none starts another manager.
func TestTimeoutAlone(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
		tell := p.fifo("tell " + timeout.String())
		spec := stubborn(tell)
		spec.Timeout = timeout
		tid := p.client(call{Do: "submit", Spec: spec}).accepted()
		if p.told(tell, tid, 1) == nil {
			return false
		}
		before := p.managers()
		p.kill(p.manager())
		alone := p.task(tid).Status == taskspec.StatusRunning
		task := p.awaitEnd(tid)
		if task.Status != taskspec.StatusTimeout || task.ReturnCode == nil || *task.ReturnCode != 124 {
			t.Errorf("got %+v, want a timeout", task)
		}
		took, want := time.Duration(task.Completed-task.Started), timeout+time.Second
		if took < want {
			t.Errorf("ended after %v, want timeout and grace, %v", took, want)
		}
		waittest.Bound(t, "timeout and grace", took, want+time.Second)
		if n := p.managers(); n != before {
			t.Errorf("%d managers have led, want %d", n, before)
		}
		return alone
	})
}

// TestStopManager stops the manager of running and queued tasks: by a message
// and by a signal.
func TestStopManager(t *testing.T) {
	for name, stop := range map[string]func(p *project){
		"message": func(p *project) {
			if was, err := p.open().Manager().Stop(p.ctx); !was || err != nil {
				p.t.Fatal(was, err)
			}
		},
		"SIGTERM": func(p *project) {
			m := p.manager()
			p.signal(m, syscall.SIGTERM)
			if err := m.Wait(p.ctx); err != nil {
				p.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_MAX_TASKS=2", "WEFT_DURABILITY=normal")
			tell := p.fifo("tell")
			submit := func(s *taskspec.Spec) string { return p.client(call{Do: "submit", Spec: s}).accepted() }
			running := []string{submit(stubborn(tell)), submit(stubborn(tell))}
			tell.Read()
			tell.Read()
			queued := []string{submit(shell("echo 0")), submit(shell("echo 1"))}

			began := time.Now()
			stop(p)
			took := time.Since(began)
			if took < time.Second {
				t.Errorf("the manager went after %v, want the grace of its tasks", took)
			}
			waittest.Bound(t, "the end of the manager", took, 2500*time.Millisecond)
			for _, tid := range running {
				if task := p.task(tid); task.Status != taskspec.StatusCancelled || task.Error != "stopped" {
					t.Errorf("running task: got %+v", task)
				}
			}
			for _, tid := range queued {
				if task := p.task(tid); task.Status != taskspec.StatusCreated {
					t.Errorf("queued task: got %+v", task)
				}
			}
			p.vanish()

			for i, tid := range queued {
				if got := p.client(call{Do: "result", TID: tid}).answer(); got.Output != fmt.Sprintln(i) {
					t.Errorf("queued task, with the next manager: got %+v", got)
				}
			}
		})
	}
}
