package monitor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/monitor/monitortest"
	"weft/taskspec"
)

// plantUse starts a process that takes u, as the grandchild of this one, and
// waits until it has it.
func plantUse(t *testing.T, u monitortest.Use, script string) *grove {
	t.Helper()
	t.Setenv("USE", u.Entry())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXE", exe)
	g := plant(t, 0, script)
	t.Cleanup(func() { g.end(t) })
	if line := g.hear(t); line != "ready" {
		t.Fatalf("the process says %q", line)
	}
	return g
}

func sample(t *testing.T, s *ResourceMonitor) Sample {
	t.Helper()
	got, err := s.Sample()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestResourceMonitor measures a grandchild, and what is left of it when it is gone.
func TestResourceMonitor(t *testing.T) {
	u := monitortest.Use{Megabytes: 64, FDs: 20, Connections: 3, CPU: 200 * time.Millisecond}
	for name, test := range map[string]struct {
		script string
		waited bool // somebody waits for it
	}{
		"its parent waits": {`env "$USE" "$EXE" & echo $! >&3; wait; echo gone; sleep 600`, true},
		"it is an orphan":  {`(env "$USE" "$EXE" & echo $! >&3); sleep 600`, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := plantUse(t, u, `exec 3>/dev/null; `+test.script)
			s := &ResourceMonitor{Subreaper: true, Everything: true}
			got := sample(t, s)
			// Each connection has both its ends in this tree; the socket that
			// listens is none. The shell and a Go program have a few of their own.
			if got.Connections != 2*u.Connections || got.FDs < u.FDs+2*u.Connections || got.FDs > u.FDs+50 || got.Capped {
				t.Errorf("%d connections, %d descriptors, capped %v", got.Connections, got.FDs, got.Capped)
			}
			if got.MemoryMB < float64(u.Megabytes) || got.MemoryMB > float64(u.Megabytes)+80 {
				t.Errorf("%.1f MB", got.MemoryMB)
			}
			// One is measured in ticks that have passed, the other in nanoseconds.
			least := u.CPU - 50*time.Millisecond
			if got.CPU < least {
				t.Errorf("%v of CPU time", got.CPU)
			}
			if plain := sample(t, &ResourceMonitor{Subreaper: true}); plain.FDs != 0 || plain.Connections != 0 || plain.MemoryMB == 0 {
				t.Errorf("without descriptors: %+v", plain)
			}

			taker := g.largest(t)
			if err := taker.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := taker.Wait(waittest.Context(t)); err != nil {
				t.Fatal(err)
			}
			if test.waited {
				g.hear(t)
			}
			got = sample(t, s)
			if got.CPU < least || got.MemoryMB > float64(u.Megabytes) || got.Connections != 0 {
				t.Errorf("after its end: %+v", got)
			}
		})
	}
}

// end kills the grove.
func (g *grove) end(t *testing.T) {
	tree := Tree{Root: os.Getpid(), Cookie: g.cookie, Except: []int{g.stranger.Process.Pid}}
	if _, err := tree.Kill(context.Background()); err != nil {
		t.Error(err)
	}
}

// largest is the process of the grove that has most memory.
func (g *grove) largest(t *testing.T) proc.Identity {
	t.Helper()
	members, err := Tree{Root: os.Getpid(), Cookie: g.cookie}.Members()
	if err != nil {
		t.Fatal(err)
	}
	size := func(id Process) float64 {
		_, memoryMB, err := readUse(id.PID)
		if err != nil {
			t.Fatal(err)
		}
		return memoryMB
	}
	return proc.Identity(slices.MaxFunc(members, func(a, b Process) int { return int(size(a) - size(b)) }))
}

// Both ways to find the tree find the same, and neither what is foreign.
func TestResourceMonitorFindsTree(t *testing.T) {
	g := plant(t, 5, `echo $$; sh -c "$L1" & setsid sh -c "$L1" & FOREIGN=1 sh -c "$L2" & wait`,
		leaf, `echo $$; sh -c "$L1" & wait`)
	defer g.end(t)
	for _, test := range []struct {
		foreign []string
		want    int
	}{
		{nil, 5 + 1}, // the stranger as well, as it is a child of this process
		{[]string{"FOREIGN=1"}, 3 + 1},
		{[]string{"FOREIGN=2", "FOREIGN=1"}, 3 + 1},
		{[]string{"FOREIGN=2"}, 5 + 1},
	} {
		s := &ResourceMonitor{Foreign: test.foreign}
		walked, err := s.walk(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		searched, err := s.search(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(walked)
		if diff := cmp.Diff(walked, searched); diff != "" || len(walked) != test.want {
			t.Errorf("without %v found %d, want %d (-walk +search):\n%s", test.foreign, len(walked), test.want, diff)
		}
	}
}

// A process that is gone is no tree.
func TestResourceMonitorWithoutRoot(t *testing.T) {
	if s, err := (&ResourceMonitor{PID: 1 << 30}).Sample(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("measured %+v, %v", s, err)
	}
}

// BenchmarkResourceMonitor measures a tree of three processes: what a task with limits
// costs four times a second.
func BenchmarkResourceMonitor(b *testing.B) {
	cmd := exec.Command("sh", "-c", "sleep 60 & sleep 60 & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if _, err := (Tree{Root: os.Getpid()}).Kill(b.Context()); err != nil {
			b.Error(err)
		}
		cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]*ResourceMonitor{
		"memory and CPU": {Subreaper: true, Foreign: []string{"A=B"}},
		"all":            {Subreaper: true, Foreign: []string{"A=B"}, Everything: true},
		"in doubt":       {Subreaper: true, Foreign: []string{"A=B"}, Limits: taskspec.Limits{MemoryMB: new(0.1)}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Sample(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestResourceMonitorAlone measures a process without being a subreaper, until it has ended.
func TestResourceMonitorAlone(t *testing.T) {
	g := plant(t, 2, `echo $$; sh -c "$L1" & wait`, leaf)
	r := &ResourceMonitor{PID: g.cmd.Process.Pid}
	pids, err := r.members()
	if err != nil || !slices.Contains(pids, r.PID) || len(pids) != 2 {
		t.Errorf("members are %v, %v", pids, err)
	}
	if s := sample(t, r); s.MemoryMB == 0 {
		t.Errorf("measured %+v", s)
	}
	g.end(t)
	if v, broken := r.Watch(waittest.Context(t)); broken {
		t.Errorf("Watch returned %+v", v)
	}
	if _, err := r.Sample(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Sample after the end returned %v", err)
	}
}
