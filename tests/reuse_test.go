//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// lastPID holds the number after which the kernel looks for a free one.
const lastPID = "/proc/sys/kernel/ns_last_pid"

// needReuse skips the test where nobody may choose the pid of a process, or where
// those of dead orphans are never free again.
func needReuse(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(lastPID, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EROFS) {
		t.Skipf("the pid of a process cannot be chosen here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	orphan, err := exec.Command("sh", "-c", "sleep 0 >/dev/null & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(orphan)))
	if err != nil {
		t.Fatal(err)
	}
	if !reaped(pid, waittest.Scale(5*time.Second)) {
		t.Skip("nobody reaps orphans here, so their pids stay taken")
	}
}

// reaped waits until a dead process has lost its pid. No event tells that: it is
// up to its parent.
func reaped(pid int, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if _, err := proc.Read(pid); errors.Is(err, proc.ErrGone) {
			return true
		}
		<-time.After(10 * time.Millisecond)
	}
	return false
}

// reuse starts a foreign process, which leads a session and a group, with the pid of
// a process that has ended.
func reuse(t *testing.T, pid int) proc.Identity {
	t.Helper()
	const tries = 1000 // others start processes as well
	for range tries {
		if !reaped(pid, waittest.Limit()) {
			t.Fatalf("nobody has reaped process %d, or another keeps its number", pid)
		}
		if err := os.WriteFile(lastPID, []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Fatal(err)
		}
		other := exec.Command("sleep", "1000")
		other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		if other.Process.Pid != pid {
			_ = other.Process.Kill()
			_ = other.Wait()
			continue
		}
		t.Cleanup(func() {
			_ = other.Process.Kill()
			_ = other.Wait()
		})
		id, err := proc.Of(pid)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	t.Fatalf("process %d was not to be had in %d tries", pid, tries)
	return proc.Identity{}
}

// TestPIDReuse kills the processes of a task and gives their pids to foreign processes
// before Weft notices. The manager or client that then ends the task leaves the foreign
// processes alone, and still finds the process that escaped from the task.
func TestPIDReuse(t *testing.T) {
	needReuse(t)
	for _, test := range []struct {
		name   string
		living bool // the manager is stopped meanwhile, and goes on; else it is dead
		do     string
	}{
		{"the next manager looks", false, "result"},
		{"stop", false, "stop"},
		{"kill", false, "kill"},
		{"the manager goes on", true, "result"},
	} {
		t.Run(test.name, func(t *testing.T) { // alone: they would take each other's numbers
			p := newProject(t, "WEFT_DURABILITY=normal")
			tell := p.fifo("tell")
			// Nothing of the session may be left, or its number is not free.
			spec, err := escapeCase{name: "session"}.spec(tell, p.fifo("proceed"))
			if err != nil {
				t.Fatal(err)
			}
			u := p.user()
			u.call(call{Do: "submit", Spec: spec})
			tid := u.accepted()
			escaped := p.members(tell, tid, 1)[0]
			consumer, m := p.task(tid).Consumer, p.manager()
			command := p.child(consumer)

			release := p.hold() // none that is stopped now can be writing
			p.signal(m, syscall.SIGSTOP)
			release()
			// The manager notes this of a task that runs longer than a moment.
			err = p.project.Broker().Update(p.ctx, func(tx *broker.Tx) error { return ledger.NoteProcess(tx, tid, 1, command) })
			if err != nil {
				t.Fatal(err)
			}
			if !test.living {
				p.kill(m)
			}
			p.kill(consumer)
			if err := command.Wait(p.ctx); err != nil { // it dies with its consumer
				t.Fatal(err)
			}
			others := []proc.Identity{reuse(t, command.PID)}
			if !test.living { // a dead child that its parent has not reaped keeps its pid
				others = append(others, reuse(t, consumer.PID))
			}
			if !escaped.Alive() {
				t.Fatal("nothing is left to end")
			}

			if test.living {
				p.signal(m, syscall.SIGCONT)
			}
			u.call(call{Do: test.do, TID: tid})
			if got := u.line(); got.Status != taskspec.StatusFailed || got.Reason != "lost: consumer process died" {
				t.Errorf("got %+v", got)
			}
			if escaped.Alive() {
				t.Errorf("process %d of the task is left", escaped.PID)
			}
			for _, id := range others {
				if s, err := proc.Read(id.PID); err != nil || s.Ticks != id.Ticks || s.Ended() || s.State == 'T' {
					t.Errorf("the foreign process %d was harmed: %+v, %v", id.PID, s, err)
				}
			}
		})
	}
}

// child is the only child of a process, whichever of its threads has started it.
func (p *project) child(of proc.Identity) proc.Identity {
	p.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of.PID))
	if err != nil {
		p.t.Fatal(err)
	}
	var children []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the thread has ended
			p.t.Fatal(err)
		}
		children = append(children, text...)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		p.t.Fatalf("children of process %d: %v", of.PID, err)
	}
	id, err := proc.Of(pid)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}
