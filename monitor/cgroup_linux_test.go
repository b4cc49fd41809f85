package monitor

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/internal/waittest"
	"weft/monitor/monitortest"
)

// newTestGroup makes a group, or skips the test where none can be made.
func newTestGroup(t *testing.T, memoryMB float64) *Group {
	t.Helper()
	g, err := NewGroup(strings.ReplaceAll(t.Name(), "/", "."), memoryMB)
	if err != nil {
		t.Skipf("no cgroup here: %v", err)
	}
	return g
}

// start starts a shell script in the group, in which $EXE takes u.
func (g *Group) start(t *testing.T, script string, u monitortest.Use) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "EXE="+exe, u.Entry())
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// remove removes the group and asserts that it is gone.
func (g *Group) remove(t *testing.T) {
	t.Helper()
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(g.dir.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group is left: %v", err)
	}
}

// When one of a tree wants more than is allowed, the kernel kills all of it.
func TestGroupIsKilled(t *testing.T) {
	const limit = 100
	g := newTestGroup(t, limit)
	cmd, out := g.start(t, `(setsid "$EXE" & wait) & setsid sleep 600 & wait; echo survived`, monitortest.Use{Megabytes: 300})
	said, err := io.ReadAll(out) // to its end: nobody holds the pipe any more
	if err != nil || len(said) > 0 {
		t.Errorf("%q, %v", said, err)
	}
	// The pipe is closed a little before they have ended.
	if _, err := (Tree{Root: os.Getpid()}).Kill(waittest.Context(t)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL || !g.OutOfMemory() {
		t.Errorf("ended by %v, out of memory: %v", status.Signal(), g.OutOfMemory())
	}
	// Linux before 5.19 does not tell the peak.
	if peak := g.PeakMB(); peak != 0 && (peak < limit-10 || peak > limit) {
		t.Errorf("peak is %.1f MB", peak)
	}
	g.remove(t)
	Reap()
}

// Who keeps the limit is left alone, and outlives the group.
func TestGroupIsKept(t *testing.T) {
	cgroup := func(pid int) string {
		data, err := os.ReadFile(file(pid, "cgroup"))
		if err != nil {
			t.Fatal(err)
		}
		_, path, _ := strings.Cut(string(data), "0::")
		return strings.TrimSpace(path)
	}
	g := newTestGroup(t, 200)
	cmd, out := g.start(t, `exec "$EXE"`, monitortest.Use{Megabytes: 50})
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if got := cgroup(cmd.Process.Pid); filepath.Base(got) != filepath.Base(g.dir.Name()) {
		t.Errorf("it was started in %s", got)
	}
	if peak := g.PeakMB(); peak != 0 && peak < 50 {
		t.Errorf("peak is %.1f MB", peak)
	}
	g.remove(t)
	if got, own := cgroup(cmd.Process.Pid), cgroup(os.Getpid()); got != own {
		t.Errorf("it was moved to %s, want %s", got, own)
	}
	if g.OutOfMemory() {
		t.Error("out of memory")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}

// Whoever may not make a group is told why, and nothing is left.
func TestNoGroup(t *testing.T) {
	for _, name := range []string{"no/such/folder", "x\x00"} {
		if g, err := NewGroup(name, 100); err == nil {
			t.Errorf("made %s", g.dir.Name())
			g.remove(t)
		}
	}
}

// Those that were left behind go, those that are new or not ours stay.
func TestReclaim(t *testing.T) {
	home, now := t.TempDir(), time.Now()
	for name, age := range map[string]time.Duration{"weft-old": time.Hour, "weft-new": 0, "weft-used": time.Hour, "other": time.Hour} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if name == "weft-used" { // not empty, as far as a folder can be
			if err := os.Mkdir(filepath.Join(path, "x"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	reclaim(home, now.Add(-time.Minute))
	left, err := filepath.Glob(filepath.Join(home, "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"other", "weft-new", "weft-used"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

func TestCount(t *testing.T) {
	data := []byte("low 0\noom 2\noom_kill 13\n")
	for key, want := range map[string]int{"oom": 2, "oom_kill": 13, "low": 0, "kill": 0, "": 0} {
		if got := count(data, key); got != want {
			t.Errorf("%q is %d, want %d", key, got, want)
		}
	}
}

func TestOwnCgroup(t *testing.T) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || !strings.Contains(string(data), "0::/\n") {
		t.Skipf("this process is not where the test knows the answer: %q, %v", data, err)
	}
	for m, want := range map[mount]string{
		{"/sys/fs/cgroup", "/"}: "/sys/fs/cgroup",
		{"/cg", "/a"}:           "", // above what can be seen
	} {
		if got, err := ownCgroup(m); got != want || (err == nil) != (want != "") {
			t.Errorf("below %+v it is %q, %v", m, got, err)
		}
	}
}
