package consumer

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/monitor"
	"weft/monitor/monitortest"
	"weft/taskspec"
)

// using is a shell task in which $EXE takes u and says so.
func (d *fakeManager) using(u monitortest.Use, script string, args ...string) *ledger.Assignment {
	d.Helper()
	exe, err := os.Executable()
	if err != nil {
		d.Fatal(err)
	}
	a := d.shell(`use() { env "$USE" "$EXE"; }; `+script, args...)
	a.Work.Env = map[string]string{"EXE": exe, "USE": u.Entry()}
	a.Work.PollingInterval = 100 * time.Millisecond
	return a
}

// sampled waits until a task that is up has been sampled since, more than once.
func (d *fakeManager) sampled(up *waittest.FIFO) {
	d.Helper()
	up.Read()
	for range len(d.reports) + 3 { // some are older
		for r := d.report(); r.Used == nil; r = d.report() {
			if r.Started == nil {
				d.Fatalf("consumer says %+v", r)
			}
		}
	}
}

// hasGroups reports whether the memory of a task can be bounded by a cgroup
// here.
func hasGroups(t *testing.T) bool {
	g, err := monitor.NewGroup("probe", 10)
	if err != nil {
		t.Logf("no cgroup here: %v", err)
		return false
	}
	if err := g.Remove(); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestLimits runs tasks that go over a limit, and some that do not.
func TestLimits(t *testing.T) {
	t.Parallel()
	const (
		grandchild = `(use & wait) & wait`
		stranger   = `(setsid env -i PATH="$PATH" "$USE" "$EXE" &) ; sleep 1000`
		sampled    = `use >$1 & read line <$1; echo up >$2; read go <$3; echo $line`
	)
	memory := taskspec.Limits{MemoryMB: new(100.0)}
	much := monitortest.Use{Megabytes: 300}
	inGroup := "sampled"
	if hasGroups(t) {
		inGroup = "cgroup"
	}
	for name, test := range map[string]struct {
		limits taskspec.Limits
		group  bool
		use    monitortest.Use
		script string
		error  string // a pattern; empty for a task that completes
		means  string
	}{
		"memory of a grandchild":             {memory, false, much, grandchild, `memory \d+\.\d MB > 100 MB`, "sampled"},
		"memory of a grandchild in a group":  {memory, true, much, grandchild, `memory (\d+\.\d MB )?> 100 MB`, inGroup},
		"memory of one that has gone away":   {memory, false, much, stranger, `memory \d+\.\d MB > 100 MB`, "sampled"},
		"memory of such a one in a group":    {memory, true, much, stranger, `memory (\d+\.\d MB )?> 100 MB`, inGroup},
		"memory below the limit":             {memory, false, monitortest.Use{Megabytes: 50}, sampled, "", ""},
		"memory below the limit, in a group": {memory, true, monitortest.Use{Megabytes: 50}, sampled, "", ""},
		"memory that is shared": {memory, false, monitortest.Use{},
			`x=$(head -c 20000000 /dev/zero | tr '\0' x); for i in 1 2 3 4 5 6 7 8 9; do (read line <$1) & done; echo up >$2; read go <$3; echo ready`, "", ""},
		"memory skips the grace": {memory, false, much, `trap 'echo trapped; exit' TERM; use & while :; do sleep 0.02; done`,
			`memory \d+\.\d MB > 100 MB`, "sampled"},
		"cpu": {taskspec.Limits{CPUPercent: new(5.0)}, true, monitortest.Use{CPU: time.Hour}, grandchild, `cpu \d+\.\d% > 5%`, "sampled"},
		"cpu of many short ones": {taskspec.Limits{CPUPercent: new(5.0)}, true, monitortest.Use{}, `while :; do /bin/true; done`,
			`cpu \d+\.\d% > 5%`, "sampled"},
		"cpu below the limit": {taskspec.Limits{CPUPercent: new(150.0)}, true, monitortest.Use{CPU: 500 * time.Millisecond}, sampled, "", ""},
		"descriptors":         {taskspec.Limits{MaxFDs: new(50)}, true, monitortest.Use{FDs: 100}, grandchild, `fds \d+ > 50`, "sampled"},
		"descriptors of several": {taskspec.Limits{MaxFDs: new(300)}, true, monitortest.Use{FDs: 120}, `use & use & use & wait`,
			`fds \d+ > 300`, "sampled"},
		"descriptors of one": {taskspec.Limits{MaxFDs: new(300)}, true, monitortest.Use{FDs: 1000},
			`while [ $(ulimit -n) != 301 ]; do :; done; (use & wait) & wait`, `fds 3\d\d > 300`, "rlimit"},
		"descriptors below the limit":  {taskspec.Limits{MaxFDs: new(100)}, true, monitortest.Use{FDs: 20}, sampled, "", ""},
		"connections":                  {taskspec.Limits{MaxConnections: new(5)}, true, monitortest.Use{Connections: 3}, grandchild, `connections 6 > 5`, "sampled"},
		"connections within the limit": {taskspec.Limits{MaxConnections: new(6)}, true, monitortest.Use{Connections: 3}, sampled, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			up, on := newFIFO(t), newFIFO(t)
			a := d.using(test.use, test.script, newFIFO(t).Path, up.Path, on.Path)
			a.Work.Limits = test.limits
			if !test.group {
				withoutGroup(t, a)
			}
			if test.error == "" {
				a.Work.ReportingInterval = taskspec.ReportPoll
			}
			d.send(Order{Task: a}, permit())
			if a.Work.Reports() {
				d.sampled(up)
				on.Open(1)
			}
			h := d.finished()
			d.send(Order{Ack: 1})
			want := taskspec.Exited(0, "")
			if test.error != "" {
				if !regexp.MustCompile("^" + test.error + "$").MatchString(h.Outcome.Error) {
					t.Errorf("error is %q, want %s", h.Outcome.Error, test.error)
				}
				want = taskspec.Limited(h.Outcome.Error, test.means)
			}
			if diff := cmp.Diff(want, h.Outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if test.error == "" && string(h.Result) != "ready\n" {
				t.Errorf("output is %q", h.Result)
			}
			most := float64(test.use.Megabytes)
			if test.means == "cgroup" {
				most = 90
			}
			if h.Usage.PeakMemoryMB < min(most, 100) || h.Usage.PeakConnections < 2*test.use.Connections ||
				(test.limits.MaxFDs != nil || a.Work.Reports()) != (h.Usage.PeakFDs > 0) || (test.limits.CPUPercent != nil && test.error != "" && h.Usage.PeakCPUPercent < 5) {
				t.Errorf("usage is %+v", h.Usage)
			}
			if h := d.run(d.task("echo", "next")); string(h.Result) != "next\n" {
				t.Errorf("the next task says %q", h.Result)
			}
		})
	}
}

// A limit ends a task as a stop does: it may tidy up, but not for longer than
// its grace.
func TestLimitGivesGrace(t *testing.T) {
	t.Parallel()
	const burn = `while :; do :; done`
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		stdout string
	}{
		"it tidies up":    {`trap 'echo bye; exit 3' TERM; echo up >$1; ` + burn, waittest.Limit(), "bye\n"},
		"it refuses":      {`trap '' TERM; echo up >$1; ` + burn, 50 * time.Millisecond, ""},
		"it gets no time": {`trap 'echo bye; exit 3' TERM; echo up >$1; ` + burn, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			// The start of the shell may be over the limit too.
			waittest.InTime(t, 100*time.Millisecond, func(polling time.Duration) bool {
				up := newFIFO(t)
				a := d.shell(test.script, up.Path)
				a.Work.Limits, a.Work.PollingInterval, a.Work.StopGrace = taskspec.Limits{CPUPercent: new(5.0)}, polling, &test.grace
				h := d.run(a)
				if _, begun := up.TryRead(); !begun {
					return false
				}
				want := taskspec.Limited(h.Outcome.Error, "sampled")
				if diff := cmp.Diff(want, h.Outcome); diff != "" || string(h.Result) != test.stdout {
					t.Errorf("output is %q, outcome (-want +got):\n%s", h.Result, diff)
				}
				return true
			})
		})
	}
}

// How rarely a task is sampled says nothing about how fast it obeys.
func TestStopDespitePolling(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	up := newFIFO(t)
	a := d.shell(`echo up >$1; sleep 1000`, up.Path)
	a.Work.Limits, a.Work.PollingInterval = taskspec.Limits{MemoryMB: new(1000.0), CPUPercent: new(100.0)}, 7*24*time.Hour
	d.send(Order{Task: a}, permit())
	up.Read()
	d.send(Order{End: RequestStop})
	if h := d.finished(); h.Outcome.Status != taskspec.StatusCancelled {
		t.Errorf("%+v", h.Outcome)
	}
	d.send(Order{Ack: 1})
}

// withoutGroup takes the names of the groups that the task could have, so that it has none.
func withoutGroup(t *testing.T, a *ledger.Assignment) {
	t.Helper()
	for {
		g, err := monitor.NewGroup(fmt.Sprintf("%s.%d", a.TID, a.Epoch), 1)
		if err != nil {
			return // there are no more places for one
		}
		t.Cleanup(func() {
			if err := g.Remove(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A manager that a task starts is no part of it, and its use no use of the task.
func TestLimitSparesManager(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	fifo := newFIFO(t)
	a := d.using(monitortest.Use{Megabytes: 300, FDs: 200},
		`WEFT_ROLE=manager setsid env "$USE" "$EXE" >$1 & read line <$1; sleep 0.3; echo $!`, fifo.Path)
	a.Work.Limits = taskspec.Limits{MemoryMB: new(100.0), MaxFDs: new(100)}
	withoutGroup(t, a)
	h := d.run(a)
	endStray(t, string(h.Result))
	if h.Outcome.Status != taskspec.StatusCompleted || h.Usage.PeakFDs > 100 {
		t.Errorf("%+v, %+v", h.Outcome, h.Usage)
	}
}

// Who has no limits is not sampled, and the kernel tells what it used, however
// short its life.
func TestUsageWithoutLimits(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	h := d.run(d.shell(`i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done`))
	want := ledger.Usage{CPUSeconds: h.Usage.CPUSeconds, PeakMemoryMB: h.Usage.PeakMemoryMB}
	if h.Usage != want || want.CPUSeconds <= 0 || want.PeakMemoryMB <= 0 {
		t.Errorf("usage is %+v", h.Usage)
	}
}

// A task that wants reports says at each polling interval what it uses, with
// limits or without.
func TestReports(t *testing.T) {
	t.Parallel()
	u := monitortest.Use{Megabytes: 50, FDs: 20, Connections: 2, CPU: 100 * time.Millisecond}
	for name, limits := range map[string]taskspec.Limits{"no limits": {}, "limits": {MemoryMB: new(1000.0)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			up, on := newFIFO(t), newFIFO(t)
			a := d.using(u, `use >$1 & read line <$2`, up.Path, on.Path)
			a.Work.Limits, a.Work.ReportingInterval = limits, taskspec.ReportPoll
			d.send(Order{Task: a}, permit())
			up.Read()
			var got *ledger.Usage
			// The first may be older than what is used.
			for got == nil || got.MemoryMB < 50 || got.FDs < u.FDs || got.Connections != 2*u.Connections || got.CPUSeconds < 0.05 {
				got = d.report().Used
			}
			if got.PeakMemoryMB < got.MemoryMB || got.PeakFDs < got.FDs || got.PeakConnections < got.Connections {
				t.Errorf("report is %+v", got)
			}
			on.Open(1)
			h := d.finished()
			if h.Outcome.Status != taskspec.StatusCompleted || h.Usage.MemoryMB != 0 || h.Usage.CPUSeconds < got.CPUSeconds || h.Usage.PeakConnections != 2*u.Connections {
				t.Errorf("%+v, %+v", h.Outcome, h.Usage)
			}
			d.send(Order{Ack: 1})
		})
	}
}

// Without a manager the consumer writes the reports itself.
func TestReportsAlone(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	s := d.store()
	up, on := newFIFO(t), newFIFO(t)
	j, a := s.submit("echo up >$1; read line <$2", up.Path, on.Path)
	a.Work.ReportingInterval, a.Work.PollingInterval = taskspec.ReportPoll, 20*time.Millisecond
	d.send(Order{Task: a}, s.dispatch(j, d.self))
	up.Read()
	d.link.Close()
	waittest.Until(t, "what the test waits for", func() bool {
		return slices.ContainsFunc(s.bodies(ledger.Log), func(body string) bool {
			return strings.Contains(body, `"event":"poll_report"`) && strings.Contains(body, `"fds":`)
		})
	})
	on.Open(1)
	d.endsWell()
	s.wantEnd(a.TID, taskspec.Exited(0, ""), "")
}
