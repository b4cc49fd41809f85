package consumer

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// What a task is told to do, and when: once it has said that it is ready.
type told func(d *fakeManager)

func tell(requests ...Request) told {
	return func(d *fakeManager) {
		for _, r := range requests {
			d.send(Order{End: r})
		}
	}
}

const (
	// A shell runs a trap only between commands, so these wait for short ones.
	obeys   = `trap 'echo bye; exit 3' TERM; echo up >$1; while :; do sleep 0.02; done`
	refuses = `trap '' TERM; echo up >$1; while :; do sleep 0.02; done`
	plain   = `echo up >$1; sleep 1000`
	family  = `trap : TERM; (trap 'echo child; exit' TERM; echo up >$1; while :; do sleep 0.02; done) & wait; wait; echo parent`
)

const never = time.Hour

func TestStop(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]Request{RequestStop}, 100)
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		told   told
		want   taskspec.Outcome
		stdout string
	}{
		"stop":                    {obeys, never, tell(RequestStop), taskspec.Stopped(), "bye\n"},
		"stop of who has no trap": {plain, never, tell(RequestStop), taskspec.Stopped(), ""},
		"stop of who refuses":     {refuses, 50 * time.Millisecond, tell(RequestStop), taskspec.Stopped(), ""},
		"stop without grace":      {obeys, 0, tell(RequestStop), taskspec.Stopped(), ""},
		"stop reaches the group":  {family, never, tell(RequestStop), taskspec.Stopped(), "child\nparent\n"},
		"stop twice":              {obeys, never, tell(RequestStop, RequestStop), taskspec.Stopped(), "bye\n"},
		"stop many times":         {refuses, 300 * time.Millisecond, tell(many...), taskspec.Stopped(), ""},
		"kill":                    {obeys, never, tell(RequestKill), taskspec.Killed(), ""},
		"kill after stop":         {refuses, never, tell(RequestStop, RequestKill), taskspec.Killed(), ""},
		"kill after many stops":   {refuses, never, tell(append(slices.Clone(many), RequestKill)...), taskspec.Killed(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			up := newFIFO(t)
			a := d.shell(test.script, up.Path)
			a.Work.StopGrace = &test.grace
			d.send(Order{Task: a}, permit())
			up.Read()
			begin := time.Now()
			test.told(d)
			h := d.finished()
			if diff := cmp.Diff(test.want, h.Outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if string(h.Result) != test.stdout {
				t.Errorf("output is %q, want %q", h.Result, test.stdout)
			}
			if took := time.Since(begin); test.grace < never && took < test.grace {
				t.Errorf("it ended after %v, within its grace", took)
			}
			d.send(Order{Ack: 1})
			if h := d.run(d.task("echo", "next")); string(h.Result) != "next\n" {
				t.Errorf("the next task says %q", h.Result)
			}
		})
	}
}

// TestTimeout has the time of a task run out, also while it is being stopped.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		stop   bool
		stdout string
	}{
		"it obeys":                {obeys, never, false, "bye\n"},
		"it refuses":              {refuses, 50 * time.Millisecond, false, ""},
		"without grace":           {plain, 0, false, ""},
		"stop before the timeout": {refuses, 0, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			waittest.InTime(t, 200*time.Millisecond, func(timeout time.Duration) bool {
				up := newFIFO(t)
				a := d.shell(test.script, up.Path)
				want := taskspec.TimedOut(timeout)
				a.Work.Timeout, a.Work.StopGrace = timeout, &test.grace
				orders := []Order{{Task: a}, permit()}
				if test.stop { // and its grace lasts longer than its time
					want, a.Work.StopGrace = taskspec.Stopped(), new(2*timeout)
					orders = append(orders, Order{End: RequestStop})
				}
				d.send(orders...)
				h := d.finished()
				d.send(Order{Ack: 1})
				if test.stop && h.Outcome.Status == taskspec.StatusTimeout {
					return false // it was not stopped before
				}
				if _, begun := up.TryRead(); !begun && !test.stop {
					return false
				}
				if diff := cmp.Diff(want, h.Outcome); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if string(h.Result) != test.stdout {
					t.Errorf("output is %q, want %q", h.Result, test.stdout)
				}
				return true
			})
		})
	}
}

// When the task's own process ends, what it has left running ends, before its
// end is told; wherever it went, and whoever holds the pipe.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"child":                 `sleep 1000 & echo $!`,
		"own session":           `setsid sleep 1000 & echo $!`,
		"daemon":                `(setsid sh -c 'echo $$; exec sleep 1000' &)`,
		"without environment":   `(env -i setsid sh -c 'echo $$; exec sleep 1000' &)`,
		"without the pipe":      `(setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' &)`,
		"deaf to signals":       `(trap '' TERM HUP INT; setsid sh -c 'echo $$; exec sleep 1000' &)`,
		"stopped":               `sleep 1000 & kill -STOP $!; echo $!`,
		"many":                  `for i in 1 2 3 4 5 6 7 8 9; do setsid sleep 1000 & echo $!; done`,
		"started while we look": `(setsid sh -c 'echo $$; while :; do sleep 0.01; done' &)`,
		"after its parent":      `sleep 1000 & echo $!; kill -KILL $$`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			pids := filepath.Join(t.TempDir(), "pids")
			// A daemon says its pid some time after the script has gone on.
			d.run(d.shell(`{ `+script+`; } >$1; while [ ! -s $1 ]; do sleep 0.01; done`, pids))
			left := strings.Fields(readFile(t, pids))
			if len(left) == 0 {
				t.Fatal("nothing was started")
			}
			for _, pid := range left {
				if !gone(pid) {
					t.Errorf("process %s is left", pid)
				}
			}
		})
	}
}

// A task may start a manager, by submitting a task where there is none. That
// works for everybody and does not end with the task, nor does the task's end
// wait for it, though it holds the task's pipes open.
func TestManagerIsLeft(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	path := filepath.Join(t.TempDir(), "pid")
	d.run(d.shell(`WEFT_ROLE=manager setsid sh -c 'echo $$ >$0; exec sleep 1000' $1 & while [ ! -s $1 ]; do sleep 0.01; done`, path))
	endStray(t, readFile(t, path))
}

// endStray ends the process with this pid, which a task was to leave alive.
func endStray(t *testing.T, text string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	stray, err := proc.Of(pid)
	if err != nil {
		t.Fatalf("the manager is gone: %v", err)
	}
	if err := stray.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := stray.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
