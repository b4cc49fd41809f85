//go:build linux

package weft_test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/taskspec"
)

// TestForeignProcessLives records a consumer and a process of a task whose pids belong
// to a foreign process by now, because one started since or the machine was booted
// again. The task is lost, and the foreign process lives.
func TestForeignProcessLives(t *testing.T) {
	tests := map[string]func(id proc.Identity) (consumer, process proc.Identity){
		"pid handed out again": func(id proc.Identity) (consumer, process proc.Identity) {
			id.Ticks--
			return id, id
		},
		"another boot": func(id proc.Identity) (consumer, process proc.Identity) {
			id.Boot = "00000000-0000-0000-0000-000000000000"
			return id, id
		},
		"pid of the task's process handed out again": func(id proc.Identity) (consumer, process proc.Identity) {
			id.Ticks--
			const unused = 1 << 22 // the kernel's pids are below
			return proc.Identity{PID: unused, Ticks: id.Ticks, Boot: id.Boot}, id
		},
	}
	for name, former := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_DURABILITY=normal")
			// It leads a session and a group, as every consumer does and every
			// task's process.
			other := exec.Command("sleep", "1000")
			other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			defer other.Wait()
			defer other.Process.Kill()
			id, err := proc.Of(other.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}

			tid := p.fakeTask(former(id))
			got := p.client(call{Do: "result", TID: tid}).answer()
			if got.Status != taskspec.StatusFailed || got.Reason != "lost: consumer process died" {
				t.Errorf("got %+v", got)
			}
			if !id.Alive() {
				t.Error("the foreign process was killed")
			}
		})
	}
}

// fakeTask records a task that runs in these processes, as a manager leaves it that dies
// with the machine.
func (p *project) fakeTask(consumer, process proc.Identity) (tid string) {
	p.t.Helper()
	err := p.open().Broker().Update(p.ctx, func(tx *broker.Tx) (err error) {
		s := ledger.Submission{Spec: shell("echo never"), Item: "{}", Dir: p.dir}
		tid, _, err = ledger.Submit(tx, s, time.Now())
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var job *ledger.Job
	err = p.project.Broker().View(p.ctx, func(r broker.Reader) error {
		ms, err := ledger.Waiting(r, ledger.Requests, 0, 1, 1<<20)
		if err != nil {
			return err
		}
		job, err = ledger.Prepare(r, p.dir, ledger.Ready{Request: ms[0]})
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	err = p.project.Broker().Update(p.ctx, func(tx *broker.Tx) error {
		if _, err := ledger.Dispatch(tx, job, consumer, time.Now()); err != nil {
			return err
		}
		return ledger.NoteProcess(tx, tid, job.Epoch, process)
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return tid
}
