//go:build linux

package weft_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// bulky is a task whose assignment is larger than any socket takes at once.
func bulky(script string) *taskspec.Spec {
	return shell(script, slices.Repeat([]string{strings.Repeat("x", 100_000)}, 8)...)
}

// TestUnresponsiveIdleConsumer stops a consumer that waits, and has its manager give
// it more than its socket holds: another consumer runs the task.
func TestUnresponsiveIdleConsumer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal") // so there is one consumer
	u := p.user()
	u.call(call{Do: "run", Spec: shell("echo warm")})
	warm := u.accepted()
	u.line()
	unresponsive := p.task(warm).Consumer
	p.signal(unresponsive, syscall.SIGSTOP)

	began := time.Now()
	u.call(call{Do: "run", Spec: bulky(`echo "$# $0"`)})
	tid := u.accepted()
	if got := u.line(); got.Status != taskspec.StatusCompleted || got.Output != "8 sh\n" {
		t.Errorf("the large task: got %+v", got)
	}
	t.Logf("done after %v", time.Since(began))
	if task := p.task(tid); task.Epoch != 1 || task.Consumer == unresponsive {
		t.Errorf("it was given to %+v in epoch %d", task.Consumer, task.Epoch)
	}
	if err := unresponsive.Wait(p.ctx); err != nil {
		t.Errorf("the unresponsive consumer: %v", err)
	}
}

// TestStoppedIdleConsumer stops a consumer that waits: the manager, which is told to
// stop, does not wait for it.
func TestStoppedIdleConsumer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MAX_TASKS=1", "WEFT_DURABILITY=normal") // so there is one consumer
	u := p.user()
	u.call(call{Do: "run", Spec: shell("echo warm")})
	warm := u.accepted()
	u.line()
	consumer := p.task(warm).Consumer
	p.signal(consumer, syscall.SIGSTOP)
	if stopped, err := p.project.Manager().Stop(p.ctx); err != nil || !stopped {
		t.Errorf("stop manager: %v, %v", stopped, err)
	}
	if err := consumer.Wait(p.ctx); err != nil {
		t.Errorf("the stopped consumer: %v", err)
	}
}

// TestUnresponsiveBusyConsumer stops the consumer of a task, and has its manager pass
// on more than its socket holds: no other task waits for that.
func TestUnresponsiveBusyConsumer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	u := p.user()
	u.call(call{Do: "submit", Spec: blocked(tell, proceed, "unresponsive")})
	tid := u.accepted()
	tell.Read()
	unresponsive := p.task(tid).Consumer
	p.signal(unresponsive, syscall.SIGSTOP)
	const orders = 600 // some 300 fit
	_, err := p.project.Queue(ledger.QueuesOf(tid).ControlIn).WriteAll(p.ctx, slices.Repeat([]string{string(ledger.CommandResume)}, orders))
	if err != nil {
		t.Fatal(err)
	}
	replies := p.project.Queue(ledger.QueuesOf(tid).ControlOut)
	if err := replies.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	u.call(call{Do: "run", Spec: shell("echo other")})
	u.accepted()
	if got := u.line(); got.Output != "other\n" {
		t.Errorf("another task: got %+v", got)
	}
	t.Logf("another task was done after %v", time.Since(began))
	if got := p.awaitEnd(tid); got.Status != taskspec.StatusFailed || got.Error != "lost: consumer process died" {
		t.Errorf("the task of the unresponsive consumer: got %+v", got)
	}
	if _, err := replies.Delete(p.ctx, broker.Select{}); err != nil {
		t.Fatal(err)
	}
}
