package monitor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weft/internal/proc"
	"weft/monitor/monitortest"
)

// roleVar makes the test binary play a part instead of running the tests.
const roleVar = "WEFT_MONITOR_TEST_ROLE"

// TestMain makes the test process what a consumer is: a subreaper, below which
// everything stays that a test starts. A tree below it would take in the
// processes of another test, so these tests do not run in parallel.
func TestMain(m *testing.M) {
	if group, ok := strings.CutPrefix(os.Getenv(roleVar), "kill group "); ok {
		fmt.Println(runKillGroup(group))
		return
	}
	if monitortest.Main() {
		return
	}
	if err := Subreaper(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// leaf is a process that says its pid and stays. It ends by itself, so that a
// failing test leaves no lasting harm.
const leaf = "echo $$; exec sleep 600"

// grove is a tree of processes that a test has started.
type grove struct {
	cmd      *exec.Cmd
	out      *bufio.Reader
	cookie   []string
	ids      []proc.Identity // of those that have said their pid
	stranger *exec.Cmd       // does the same as a leaf and belongs to no tree
}

// plant starts a shell in a session of its own that runs levels[0]; a level
// starts the next by sh -c "$L1", "$L2" and so on. It returns when as many
// processes as wanted have said their pid. At the end of the test nothing of
// the grove may be left, and the stranger must be unharmed.
func plant(t *testing.T, wanted int, levels ...string) *grove {
	t.Helper()
	g := &grove{
		cmd:      exec.Command("sh", "-c", levels[0]),
		cookie:   []string{"WEFT_TID=" + t.Name(), fmt.Sprint("WEFT_EPOCH=", time.Now().UnixNano())},
		stranger: exec.Command("sleep", "600"),
	}
	g.stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := g.stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.leave(t) })

	g.cmd.Env = append(os.Environ(), g.cookie...)
	for i, script := range levels {
		g.cmd.Env = append(g.cmd.Env, fmt.Sprintf("L%d=%s", i, script))
	}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	g.cmd.Stderr = os.Stderr
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.out = bufio.NewReader(out)
	t.Cleanup(func() { g.fell(t) })
	for len(g.ids) < wanted {
		pid, err := strconv.Atoi(g.hear(t))
		if err != nil {
			t.Fatal(err)
		}
		id, err := proc.Of(pid)
		if err != nil {
			t.Fatal(err)
		}
		g.ids = append(g.ids, id)
	}
	return g
}

// hear returns the next line that a process of the grove has said.
func (g *grove) hear(t *testing.T) string {
	t.Helper()
	line, err := g.out.ReadString('\n')
	if err != nil {
		t.Fatalf("listen to the grove: %v", err)
	}
	return strings.TrimSpace(line)
}

// fell asserts that nothing is left of the grove, and ends what is left after
// all.
func (g *grove) fell(t *testing.T) {
	for _, id := range g.ids {
		if id.Alive() {
			t.Errorf("process %d is left", id.PID)
			id.Signal(syscall.SIGKILL)
		}
	}
	all := Tree{Root: os.Getpid(), Cookie: g.cookie, Except: []int{g.stranger.Process.Pid}}
	if left, err := all.Members(); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
		all.Signal(syscall.SIGKILL)
	}
	// The end of the stream is the proof that no process holds the pipe.
	if _, err := io.Copy(io.Discard, g.out); err != nil {
		t.Errorf("read to the end: %v", err)
	}
	g.cmd.Wait()
}

// leave asserts that the stranger is unharmed and that this process has no
// child when that is gone too.
func (g *grove) leave(t *testing.T) {
	pid := g.stranger.Process.Pid
	if s, err := proc.Read(pid); err != nil || s.Ended() || s.State == 'T' {
		t.Errorf("the stranger was harmed: %+v, %v", s, err)
	}
	g.stranger.Process.Kill()
	g.stranger.Wait()
	Reap()
	if more, err := HasChildren(); err != nil || more {
		t.Errorf("at the end: HasChildren() = %v, %v", more, err)
	}
}
