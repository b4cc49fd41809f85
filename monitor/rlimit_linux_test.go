package monitor

import (
	"fmt"
	"math"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"weft/monitor/monitortest"
	"weft/taskspec"
)

func TestCapFDs(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for _, test := range []struct{ limit, want int }{
		{math.MaxInt32, 0}, // 0: as it was
		{300, 301},
		{1 << 10, 301}, // once lowered, it stays
		{1, 256},
	} {
		var before, after unix.Rlimit
		if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
			t.Fatal(err)
		}
		if err := CapFDs(cmd.Process.Pid, test.limit); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &after); err != nil {
			t.Fatal(err)
		}
		want := uint64(test.want)
		if want == 0 {
			want = before.Cur
		}
		if after.Cur != want {
			t.Errorf("limit %d: bound is %+v, was %+v", test.limit, after, before)
		}
	}
	if err := CapFDs(1<<30, 1); err == nil {
		t.Error("capped a process that is not there")
	}
}

// A sample caps whoever is in the tree.
func TestResourceMonitorCaps(t *testing.T) {
	g := plant(t, 2, `echo $$; sh -c "$L1" & wait`, `echo $$; exec sleep 600`)
	defer g.end(t)
	sample(t, &ResourceMonitor{Subreaper: true, Limits: taskspec.Limits{MaxFDs: new(300)}})
	for _, id := range g.ids {
		var bound unix.Rlimit
		if err := unix.Prlimit(id.PID, unix.RLIMIT_NOFILE, nil, &bound); err != nil || bound.Cur != 301 || bound.Max != 301 {
			t.Errorf("process %d has %+v, %v", id.PID, bound, err)
		}
	}
}

// A process that takes all that it is given is found at its bound.
func TestCapped(t *testing.T) {
	for fds, want := range map[int]bool{250: false, 1000: true} {
		t.Run(fmt.Sprint(fds), func(t *testing.T) {
			plantUse(t, monitortest.Use{FDs: fds}, `ulimit -n 300; exec env "$USE" "$EXE"`)
			got := sample(t, &ResourceMonitor{Subreaper: true, Everything: true})
			if got.Capped != want || want && got.FDs < 300 {
				t.Errorf("%d of 300 descriptors: %+v", fds, got)
			}
		})
	}
}
