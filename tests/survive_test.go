//go:build linux

package weft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestStoppedManager stops a manager in the middle of a load and lets it go on
// after a while.
func TestStoppedManager(t *testing.T) {
	t.Parallel()
	const tasks = 200
	p := newProject(t)
	c := p.client(call{Do: "load", Load: load{Tasks: tasks, Parallel: 8, Prefix: "token"}})
	for range tasks / 2 {
		c.line()
	}
	m := p.manager()
	p.signal(m, syscall.SIGSTOP)
	<-time.After(3 * time.Second) // longer than anybody would wait for it; nothing happens
	p.signal(m, syscall.SIGCONT)
	c.results()
	for _, task := range p.tasks() {
		if task.Status != taskspec.StatusCompleted {
			t.Errorf("task %s: %+v", task.TID, task)
		}
	}
	if n := len(p.tasks()); n != tasks {
		t.Errorf("%d tasks, want %d", n, tasks)
	}
	if n := p.managers(); n != 1 {
		t.Errorf("%d managers have led, want 1", n)
	}
}

// TestRivalManagers starts two managers at once, again and again: detached ones
// by clients, and some in programs of their own. One leads.
func TestRivalManagers(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	rivals := []*client{p.user(), p.user()}
	rounds := waittest.Size(16, 50)
	for round := range rounds {
		do := "manager"
		if round%2 == 1 {
			do = "serve"
		}
		for _, r := range rivals {
			r.call(call{Do: do})
		}
		if do == "manager" {
			for _, r := range rivals {
				r.line() // it works, whoever has started it
			}
		}
		leads := p.awaitManager(round + 1)
		if do == "serve" {
			i := slices.IndexFunc(rivals, func(r *client) bool { return r.cmd.Process.Pid == leads.PID })
			if i < 0 {
				t.Fatalf("round %d: %+v leads, none of the rivals", round, leads)
			}
			if l := rivals[1-i].line(); l.Error != "refused" {
				t.Fatalf("round %d: the other one said %+v", round, l)
			}
			rivals[i] = p.user()
		}
		p.kill(leads)
	}
	if n := p.managers(); n != rounds {
		t.Errorf("%d managers have led in %d rounds", n, rounds)
	}
}

// awaitManager waits until n managers have led and returns the last of them.
func (p *project) awaitManager(n int) proc.Identity {
	p.t.Helper()
	led := 0
	p.await(fmt.Sprint("manager ", n), func(e ledger.Event) bool {
		if e.Event == "manager_started" {
			led++
		}
		return led == n
	})
	return p.manager()
}

// TestStaleAssignment has a consumer find an assignment that its manager did
// not live to commit, after another consumer has got the task: it must not
// begin.
func TestStaleAssignment(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal")
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	u := p.user()
	u.call(call{Do: "run", Spec: shell("echo warm")})
	stopped := p.task(u.accepted())
	u.line()
	consumer := p.task(stopped.TID).Consumer
	first := p.manager()

	// While this process writes, none that is stopped can be writing.
	release := p.hold()
	p.signal(consumer, syscall.SIGSTOP)
	p.signal(first, syscall.SIGSTOP)
	release()
	u.call(call{Do: "submit", Spec: blocked(tell, proceed, "once")})
	tid := u.accepted()
	// While another process writes, the manager assigns the task and cannot
	// commit that.
	release = p.hold()
	p.signal(first, syscall.SIGCONT)
	p.awaitInput(consumer)
	p.kill(first)
	release()

	u.call(call{Do: "manager"})
	u.line()
	tell.Read() // the task runs
	if now := p.task(tid).Consumer; now == consumer {
		t.Fatal("the first manager had committed its assignment")
	}
	p.signal(consumer, syscall.SIGCONT)
	if consumer.Wait(p.ctx) != nil {
		t.Error("the consumer has begun the task a second time")
	}
	proceed.Open(2)
	u.call(call{Do: "result", TID: tid})
	if got := u.line(); got.Output != "once\n" {
		t.Errorf("got %+v", got)
	}
}

// hold keeps every other writer out of the store until release is called.
func (p *project) hold() (release func()) {
	p.t.Helper()
	held, free, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		over <- p.project.Broker().Update(context.Background(), func(*broker.Tx) error {
			close(held)
			<-free
			return nil
		})
	}()
	select {
	case <-held:
	case err := <-over:
		p.t.Fatalf("hold the store: %v", err)
	}
	return func() {
		close(free)
		if err := <-over; err != nil {
			p.t.Fatalf("hold the store: %v", err)
		}
	}
}

// awaitInput waits until a consumer has something to read from its manager.
func (p *project) awaitInput(consumer proc.Identity) {
	p.t.Helper()
	pidfd, err := unix.PidfdOpen(consumer.PID, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer unix.Close(pidfd)
	const link = 3 // the descriptor that a consumer inherits
	fd, err := unix.PidfdGetfd(pidfd, link, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		p.t.Skipf("this test may not look into another process: %v", err)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(waittest.Limit().Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n == 0 || err != nil {
			p.t.Fatalf("wait for an assignment: %d, %v", n, err)
		}
		return
	}
}

// TestOrderSurvives kills a manager that has taken the order to end a task from
// its queue, and has acknowledged it, but has not passed it on: the test takes
// the order in its place.
func TestOrderSurvives(t *testing.T) {
	for _, order := range []struct {
		command ledger.Command
		status  taskspec.Status
	}{{ledger.CommandStop, taskspec.StatusCancelled}, {ledger.CommandKill, taskspec.StatusKilled}} {
		t.Run(string(order.command), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_DURABILITY=normal")
			tell, proceed := p.fifo("tell"), p.fifo("proceed")
			tid := p.client(call{Do: "submit", Spec: blocked(tell, proceed, "victim")}).accepted()
			tell.Read()
			m := p.manager()
			release := p.hold() // none that is stopped now can be writing
			p.signal(m, syscall.SIGSTOP)
			release()
			err := p.project.Broker().Update(p.ctx, func(tx *broker.Tx) error {
				if _, err := tx.Write(ledger.QueuesOf(tid).ControlIn, string(order.command)); err != nil {
					return err
				}
				taken, err := ledger.ReadTaskControl(tx, tid, time.Now())
				if !slices.Equal(taken, []ledger.Command{order.command}) {
					t.Errorf("orders taken: %v", taken)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			p.kill(m)
			if got := p.awaitEnd(tid); got.Status != order.status {
				t.Errorf("got %+v, want %s", got, order.status)
			}
		})
	}
}

// TestManyEnvironments submits tasks from more environments than a manager
// remembers, all at once: each runs in its own.
func TestManyEnvironments(t *testing.T) {
	t.Parallel()
	const tasks = 20
	p := newProject(t, fmt.Sprint("WEFT_MAX_TASKS=", tasks), "WEFT_DURABILITY=normal")
	u := p.user()
	u.call(call{Do: "manager"})
	u.line()
	m := p.awaitManager(1)
	p.signal(m, syscall.SIGSTOP)
	var tids []string
	for i := range tasks {
		own := *p
		own.env = append(slices.Clone(p.env), fmt.Sprint("TOKEN=", i))
		tids = append(tids, own.client(call{Do: "submit", Spec: shell(`echo "$TOKEN"`)}).accepted())
	}
	p.signal(m, syscall.SIGCONT)
	for i, tid := range tids {
		u.call(call{Do: "result", TID: tid})
		if got := u.line(); got.Output != fmt.Sprintln(i) {
			t.Errorf("task %d: got %+v", i, got)
		}
	}
}
