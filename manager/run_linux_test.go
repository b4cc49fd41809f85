package manager

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/ledger"
	"weft/taskspec"
)

var completed = taskspec.Exited(0, "")

// More tasks than slots: all run, in the order they came, never more at once
// than there are slots.
func TestSlots(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{1, 3} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			var tids []string
			for range 6 {
				tids = append(tids, p.submit(t, "", "true"))
			}
			p.manage(t, func(o *Options) { o.MaxTasks = slots })
			for range 24 {
				tids = append(tids, p.submit(t, "", "true"))
			}
			type change struct{ at, running int64 }
			var changes []change
			last := int64(0)
			for _, tid := range tids {
				l := p.wantEnd(t, tid, completed)
				if l.Started < last {
					t.Errorf("task %s began before the one that came before it", tid)
				}
				last = l.Started
				changes = append(changes, change{l.Started, 1}, change{l.Completed, -1})
			}
			slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.running, b.running)) })
			running := int64(0)
			for _, c := range changes {
				if running += c.running; running > int64(slots) {
					t.Fatalf("%d tasks run at once", running)
				}
			}
		})
	}
}

// A task that waits for tasks of its own holds a slot, and they need none.
func TestNestedTasks(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.manage(t, func(o *Options) { o.MaxTasks = 1 })
	up, on := newGate(t), newGate(t)
	parent := p.submit(t, "", "echo up >$1; read line <$2", up.Path, on.Path)
	up.Read()
	queued := p.submit(t, "", "true")
	var children []string
	for range 3 {
		child := p.submit(t, parent, "true")
		children = append(children, child, p.submit(t, child, "true"))
	}
	for _, tid := range children {
		p.wantEnd(t, tid, completed)
	}
	if got := p.task(t, queued).Status; got != taskspec.StatusCreated {
		t.Errorf("a task that needs a slot is %s", got)
	}
	on.Open(1)
	p.wantEnd(t, parent, completed)
	p.wantEnd(t, queued, completed)
}

// A request that cannot be run is answered, and so is the next one.
func TestBadRequest(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	bad := p.write(t, ledger.Requests, "not JSON")
	good := p.write(t, ledger.Requests, `{"name":"greet","spec":{"type":"command","process_target":"pwd"}}`)
	p.manage(t, nil)
	p.wantEnd(t, p.submit(t, "", "true"), completed) // those by hand came before
	if l := p.ended(t, bad); l.Status != taskspec.StatusFailed || !strings.HasPrefix(l.Error, "request is not a JSON object") {
		t.Errorf("%+v", l)
	}
	p.wantEnd(t, good, completed)
	if m, err := p.b.Queue(ledger.QueuesOf(good).Outbox).Read(t.Context()); err != nil || m.Body != p.root+"\n" {
		t.Errorf("it ran in %q, %v", m.Body, err)
	}
}

// Stopping a manager stops its tasks and leaves those that wait.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(p *project, m *tenure){
		"by call":    func(_ *project, m *tenure) { m.stop() },
		"by message": func(p *project, _ *tenure) { p.write(t, ledger.ManagerControl, "stop") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			m := p.manage(t, func(o *Options) { o.MaxTasks = 1 })
			up := newGate(t)
			running := p.submit(t, "", "trap 'echo bye; exit' TERM; echo up >$1; while :; do sleep 0.02; done", up.Path)
			up.Read()
			queued := p.submit(t, "", "true")
			stop(p, m)
			if err := m.left(t); err != nil {
				t.Errorf("the manager left with %v", err)
			}
			p.wantEnd(t, running, taskspec.Stopped())
			if got := p.task(t, queued).Status; got != taskspec.StatusCreated {
				t.Errorf("the task that waited is %s", got)
			}
			if got := p.currentManager(t); got.Status != ledger.ManagerGone {
				t.Errorf("the manager is %s", got.Status)
			}
			// Nothing was lost: the next manager runs it.
			p.manage(t, nil)
			p.wantEnd(t, queued, completed)
		})
	}
}

// TestStopIsQuiet: a manager that waits for the end of its tasks sleeps. It runs
// in a process of its own, to see what that uses.
func TestStopIsQuiet(t *testing.T) {
	t.Parallel()
	const variable = "WEFT_MANAGER_TEST_ALONE"
	if os.Getenv(variable) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	p := newProject(t)
	m := p.manage(t, nil)
	up, on := newGate(t), newGate(t)
	for _, pause := range []string{"0", "2"} {
		p.submit(t, "", `trap '' TERM; echo up >$1; read line <$2; sleep $3`, up.Path, on.Path, pause)
		up.Read()
	}
	p.submit(t, "", "true")
	before := used(t)
	begin := time.Now()
	m.stop()
	on.Open(1)
	on.Open(1) // soon one consumer is idle, and a request waits
	if err := m.left(t); err != nil {
		t.Error(err)
	}
	if took, cpu := time.Since(begin), used(t)-before; cpu > took/2 {
		t.Errorf("it used %v of %v", cpu, took)
	}
}

// used is the processor time that this process has used.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// When a manager's context ends, its tasks go on. The next manager counts them:
// with one slot, the next task waits for the end of the one that goes on.
func TestTenureEnds(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	m := p.manage(t, nil)
	up, on := newGate(t), newGate(t)
	running := p.submit(t, "", "echo up >$1; read line <$2; echo done", up.Path, on.Path)
	up.Read()
	over := errors.New("the host ends")
	m.cancel(over)
	if err := m.left(t); !errors.Is(err, over) {
		t.Errorf("the manager left with %v", err)
	}
	if got := p.task(t, running).Status; got != taskspec.StatusRunning {
		t.Errorf("its task is %s", got)
	}
	p.manage(t, func(o *Options) { o.MaxTasks = 1 })
	queued := p.submit(t, "", "true")
	nested := p.submit(t, running, "true")
	p.wantEnd(t, nested, completed) // so the manager has seen the other one, too
	if got := p.task(t, queued).Status; got != taskspec.StatusCreated {
		t.Errorf("the task that needs a slot is %s", got)
	}
	on.Open(1)
	first := p.wantEnd(t, running, completed)
	if second := p.wantEnd(t, queued, completed); second.Started < first.Completed {
		t.Error("more tasks ran than there are slots")
	}
	if m, err := p.b.Queue(ledger.QueuesOf(running).Outbox).Read(t.Context()); err != nil || m.Body != "done\n" {
		t.Errorf("result %q, %v", m.Body, err)
	}
}

func TestIdleManagerLeaves(t *testing.T) {
	t.Parallel()
	for name, works := range map[string]bool{"never had work": false, "had work": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			var tid string
			if works {
				tid = p.submit(t, "", "true")
			}
			m := p.manage(t, func(o *Options) { o.Lifetime = 300 * time.Millisecond })
			if works {
				p.wantEnd(t, tid, completed)
			}
			if err := m.left(t); err != nil {
				t.Errorf("the manager left with %v", err)
			}
			if got := p.currentManager(t); got.Status != ledger.ManagerGone {
				t.Errorf("the manager is %s", got.Status)
			}
		})
	}
}

// A manager with a task stays, however long that takes.
func TestBusyManagerStays(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	tid := p.submit(t, "", "sleep 0.5")
	m := p.manage(t, func(o *Options) { o.Lifetime = 10 * time.Millisecond })
	p.wantEnd(t, tid, completed)
	if err := m.left(t); err != nil {
		t.Error(err)
	}
}

func TestSecondManager(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.manage(t, nil)
	before := p.currentManager(t)
	if err := p.manage(t, nil).left(t); !errors.Is(err, ErrRunning) {
		t.Errorf("the second manager left with %v", err)
	}
	if got := p.currentManager(t); *got != *before {
		t.Errorf("the manager is %+v, was %+v", got, before)
	}
	p.wantEnd(t, p.submit(t, "", "true"), completed)
}

// Control messages of running tasks are obeyed during the work, those of the
// manager as well.
func TestControl(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.manage(t, nil)
	up := newGate(t)
	stopped := p.submit(t, "", "echo up >$1; exec sleep 1000", up.Path)
	killed := p.submit(t, "", "trap '' TERM; echo up >$1; sleep 1000", up.Path)
	up.Read()
	up.Read()
	p.write(t, ledger.ManagerControl, `{"command":"PING","request_id":"p"}`)
	if err := p.b.Queue(ledger.ManagerReplies).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, err := p.b.Queue(ledger.ManagerReplies).Read(t.Context()); err != nil || !strings.Contains(m.Body, `"PONG"`) || !strings.Contains(m.Body, `"request_id":"p"`) {
		t.Errorf("reply %q, %v", m.Body, err)
	}
	p.write(t, ledger.QueuesOf(stopped).ControlIn, "STOP")
	p.write(t, ledger.QueuesOf(killed).ControlIn, "STOP")
	p.write(t, ledger.QueuesOf(killed).ControlIn, "KILL")
	p.wantEnd(t, stopped, taskspec.Stopped())
	p.wantEnd(t, killed, taskspec.Killed())
	// What was sent before the task began counts as well.
	early := p.submit(t, "", "exec sleep 1000")
	p.write(t, ledger.QueuesOf(early).ControlIn, "kill")
	p.wantEnd(t, early, taskspec.Killed())
}

// A manager whose consumers cannot live says why, and leaves.
func TestUselessExecutable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(*Options)
		want string
	}{
		"missing":     {func(o *Options) { o.Executable = "/no/such/program" }, "start consumer: "},
		"no consumer": {func(o *Options) { o.Executable = "/bin/true" }, "consumer ended before it said hello: "},
		"other build": {func(o *Options) { o.Build = "other" }, fmt.Sprintf(`consumer speaks protocol %d of build "test", this manager %[1]d of "other"`, consumers.Protocol)},
		"says garbage, and stays": {func(o *Options) { o.Executable = script(t, "echo garbage >&3; exec cat <&3") },
			"consumer ended before it said hello: "},
		"says half a word, and stays": {func(o *Options) { o.Executable = script(t, `printf '{"hello":' >&3; exec 3>&-`) },
			"consumer ended before it said hello: "},
		"not a program": {func(o *Options) { o.Executable = "/etc/passwd" }, "start consumer: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			m := p.manage(t, test.edit)
			if err := m.left(t); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("the manager left with %v, want %q", err, test.want)
			}
			if got := p.currentManager(t); got.Status != ledger.ManagerGone {
				t.Errorf("the manager is %s", got.Status)
			}
		})
	}
}

// script is a program that runs lines of shell.
func script(t *testing.T, lines string) (path string) {
	path = filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Error(err)
	}
	return path
}

// A consumer that is stopped while it starts is killed, and another one started.
func TestConsumerStoppedAtItsStart(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(t.TempDir(), "first")
	p.manage(t, func(o *Options) {
		o.Executable, o.MaxTasks = script(t, fmt.Sprintf("mkdir '%s' && kill -STOP $$\nexec '%s'", first, self)), 1
	})
	p.wantEnd(t, p.submit(t, "", "true"), completed)
	if _, err := os.Stat(first); err != nil {
		t.Errorf("none was stopped: %v", err)
	}
}

// While no more consumers can be started, those that live go on, and what they
// did is recorded.
func TestConsumersCannotBeStarted(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	exe := filepath.Join(t.TempDir(), "weft")
	if err := os.Symlink("/proc/self/exe", exe); err != nil {
		t.Fatal(err)
	}
	p.manage(t, func(o *Options) { o.Executable, o.MaxTasks = exe, 4 })
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	var tids []string
	for range 6 {
		tids = append(tids, p.submit(t, "", "true"))
	}
	for _, tid := range tids {
		p.wantEnd(t, tid, completed)
	}
}
