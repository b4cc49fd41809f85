//go:build linux

package weft_test

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/internal/proc"
	"weft/internal/role"
	"weft/internal/waittest"
	"weft/taskspec"
)

// lostWithin is the time in which the death of a consumer is known.
const lostWithin = 2 * time.Second

// TestKillManager kills the manager of ten running and ten queued tasks.
func TestKillManager(t *testing.T) {
	t.Parallel()
	const slots = 10
	p := newProject(t, "WEFT_MAX_TASKS="+strconv.Itoa(slots))
	p.open()
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	clients := make(map[string]*client)
	token := func(i int) string { return fmt.Sprint("token ", i) }
	tokens := make(map[string]string)
	for i := range 2 * slots {
		c, tid := p.run(blocked(tell, proceed, token(i)))
		clients[tid], tokens[tid] = c, token(i)
	}
	for range slots {
		tell.Read()
	}
	if n := len(p.tasks(taskspec.StatusRunning)); n != slots {
		t.Fatalf("%d tasks run in %d slots", n, slots)
	}
	p.kill(p.manager())
	proceed.Open(2 * slots) // those that run end, the others do not wait
	for tid, c := range clients {
		got := c.answer()
		if got.TID != tid || got.Status != taskspec.StatusCompleted || got.Output != tokens[tid]+"\n" {
			t.Errorf("task %s: got %+v, want %q", tid, got, tokens[tid])
		}
	}
	if n := p.managers(); n != 2 {
		t.Errorf("%d managers have led, want the one that was killed and one more", n)
	}
}

// TestKillConsumer kills the consumer of a task whose processes try to escape:
// while it has a manager, and while it is alone.
func TestKillConsumer(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprint("alone=", alone), func(t *testing.T) {
			p := newProject(t)
			c, tid, family := p.family()
			if alone {
				p.kill(p.manager())
			}
			consumer := p.task(tid).Consumer
			p.kill(consumer)
			killed := time.Now()

			for name, id := range family {
				if id.Wait(p.ctx) != nil {
					t.Errorf("%s (process %d) is left", name, id.PID)
				}
			}
			got := c.answer()
			if got.Status != taskspec.StatusFailed || got.Reason != "lost: consumer process died" || got.Code != nil {
				t.Errorf("got %+v", got)
			}
			waittest.Bound(t, "the client's answer", time.Since(killed), lostWithin)
		})
	}
}

// family runs a task with children that try to escape, and returns its
// processes, which all live.
func (p *project) family() (c *client, tid string, family map[string]proc.Identity) {
	p.t.Helper()
	tell := p.fifo("tell")
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	spec := weft.Command(self, tell.Path)
	spec.Env = map[string]string{partVariable: partFamily}
	c, tid = p.run(spec)
	family = make(map[string]proc.Identity)
	for range 3 {
		name, number, _ := strings.Cut(tell.Read(), " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			p.t.Fatal(err)
		}
		if family[name], err = proc.Of(pid); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, name := range []string{"parent", "escaped", "orphan"} {
		if !family[name].Alive() {
			p.t.Fatalf("%s does not live: %+v", name, family)
		}
	}
	return c, tid, family
}

// TestKillClient kills the client of a task that runs and of one that waits.
func TestKillClient(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1")
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	var tids []string
	for _, token := range []string{"running", "queued"} {
		c, tid := p.run(blocked(tell, proceed, token))
		tids = append(tids, tid)
		if token == "running" {
			tell.Read()
		}
		c.kill()
	}
	proceed.Open(2)
	for i, token := range []string{"running", "queued"} {
		got := p.client(call{Do: "result", TID: tids[i]}).answer()
		if got.Status != taskspec.StatusCompleted || got.Output != token+"\n" {
			t.Errorf("the task that was %s: got %+v", token, got)
		}
	}
}

// TestKillIdleConsumer kills consumers that wait for work. No task is theirs, so
// all tasks are done, and the manager stays.
func TestKillIdleConsumer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	u := p.user()
	for i := range 10 {
		u.call(call{Do: "run", Spec: shell(`echo "$1"`, fmt.Sprint(i))})
		u.accepted()
		if got := u.line(); got.Status != taskspec.StatusCompleted || got.Output != fmt.Sprintln(i) {
			t.Errorf("task %d: got %+v", i, got)
		}
		for id, title := range p.consumers() {
			if !strings.Contains(title, "idle") {
				continue // it may not have said hello
			}
			_ = id.Signal(syscall.SIGKILL) // it may have left
			if err := id.Wait(p.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := p.managers(); n != 1 {
		t.Errorf("%d managers have led, want 1", n)
	}
}

// TestKillBeginner kills managers and consumers that have just been started:
// others are started in their place, and each waiting client is answered.
func TestKillBeginner(t *testing.T) {
	for _, part := range []role.Role{role.Manager, role.Consumer} {
		t.Run(string(part), func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			tell, proceed := p.fifo("tell"), p.fifo("proceed")
			p.env = append(p.env, hesitateVariable+"="+strings.Join([]string{string(part), tell.Path, proceed.Path}, ":"))
			c := p.client(call{Do: "run", Spec: shell("echo done")})
			for range 2 {
				pid, err := strconv.Atoi(tell.Read())
				if err != nil {
					t.Fatal(err)
				}
				id, err := proc.Of(pid)
				if err != nil {
					t.Fatal(err)
				}
				p.kill(id)
			}
			proceed.Open(10) // the others may begin
			if got := c.last(); got.Status != taskspec.StatusCompleted || got.Output != "done\n" {
				t.Errorf("got %+v", got)
			}
			if n := p.managers(); n != 1 {
				t.Errorf("%d managers have led, want 1", n)
			}
		})
	}
}

// consumers are the project's consumers that have no task.
func (p *project) consumers() map[proc.Identity]string {
	p.t.Helper()
	all := p.processes()
	maps.DeleteFunc(all, func(_ proc.Identity, title string) bool {
		return !strings.HasPrefix(title, "weft-consumer") && !strings.Contains(title, ":consumer:idle")
	})
	return all
}
