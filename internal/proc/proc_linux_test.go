package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleVar makes the test binary play a part instead of running the tests.
const roleVar = "WEFT_PROC_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "":
		goleak.VerifyTestMain(m)
	case "headless":
		runHeadless()
	case "reuse":
		fmt.Println(runReuse())
	}
}

// child is a process started by a test. It has proved that it runs before the
// test goes on.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs cmd, waits for its first line of output, and sees to its end.
func start(t *testing.T, cmd *exec.Cmd) (child, string) {
	t.Helper()
	c, first, err := launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c, first
}

func launch(cmd *exec.Cmd) (child, string, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return child{}, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, "", err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return child{}, "", err
	}
	c := child{Cmd: cmd, in: in, out: bufio.NewReader(out)}
	first, err := c.out.ReadString('\n')
	if err != nil {
		c.end()
		return child{}, "", fmt.Errorf("first line of %v: %w", cmd.Args, err)
	}
	return c, strings.TrimSpace(first), nil
}

// end kills the child and reaps it. It may be called again.
func (c child) end() {
	c.Process.Kill()
	c.Wait()
}

// echoes says whether the child, a shell that runs cat, still answers.
func (c child) echoes() error {
	if _, err := io.WriteString(c.in, "still here\n"); err != nil {
		return err
	}
	if got, err := c.out.ReadString('\n'); err != nil || got != "still here\n" {
		return fmt.Errorf("got %q, %w", got, err)
	}
	return nil
}

// cat is a process that says its pid and then answers.
func cat() *exec.Cmd { return exec.Command("sh", "-c", "echo $$; exec cat") }

func role(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	// The race detector would hold back the end of the process by a second.
	cmd.Env = append(os.Environ(), roleVar+"="+name, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func identify(t *testing.T, pid int) Identity {
	t.Helper()
	id, err := Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if self.PID != os.Getpid() || self.Ticks == 0 || len(self.Boot) != 36 || !self.Alive() {
		t.Errorf("Self() = %+v, alive %v", self, self.Alive())
	}
	data, err := json.Marshal(self)
	if err != nil {
		t.Fatal(err)
	}
	var back Identity
	if err := json.Unmarshal(data, &back); err != nil || back != self {
		t.Errorf("after JSON %s: %+v, %v", data, back, err)
	}
	for _, pid := range []int{-1, 0, 1 << 30} {
		if _, err := Of(pid); !errors.Is(err, ErrGone) {
			t.Errorf("Of(%d): %v, want ErrGone", pid, err)
		}
	}
}

func TestLifeOfAChild(t *testing.T) {
	t.Parallel()
	c, _ := start(t, cat())
	id := identify(t, c.Process.Pid)
	if !id.Alive() {
		t.Fatal("a running child is not alive")
	}
	if err := id.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := id.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Nobody has reaped it: it is a zombie now.
	gone := func(when string) {
		t.Helper()
		if id.Alive() {
			t.Errorf("%s: alive", when)
		}
		if err := id.Signal(syscall.SIGTERM); !errors.Is(err, ErrGone) {
			t.Errorf("%s: Signal: %v, want ErrGone", when, err)
		}
		if err := id.Wait(t.Context()); err != nil {
			t.Errorf("%s: Wait: %v", when, err)
		}
		if _, err := Of(id.PID); !errors.Is(err, ErrGone) {
			t.Errorf("%s: Of: %v, want ErrGone", when, err)
		}
	}
	gone("zombie")
	if s, err := Read(id.PID); err != nil || s.State != 'Z' || s.PPID != os.Getpid() {
		t.Errorf("zombie's stat: %+v, %v", s, err)
	}
	c.Wait()
	if got := c.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want SIGTERM", got)
	}
	gone("reaped")
}

func TestStrangersAreLeftAlone(t *testing.T) {
	t.Parallel()
	c, _ := start(t, cat())
	id := identify(t, c.Process.Pid)
	for name, change := range map[string]func(*Identity){
		"zero":          func(i *Identity) { *i = Identity{} },
		"started later": func(i *Identity) { i.Ticks++ },
		"other boot":    func(i *Identity) { i.Boot = "00000000-0000-0000-0000-000000000000" },
		"no boot":       func(i *Identity) { i.Boot = "" },
		"group":         func(i *Identity) { i.PID = -i.PID },
	} {
		other := id
		change(&other)
		if other.Alive() {
			t.Errorf("%s: alive", name)
		}
		if err := other.Signal(syscall.SIGKILL); !errors.Is(err, ErrGone) {
			t.Errorf("%s: Signal: %v, want ErrGone", name, err)
		}
		if err := other.Wait(t.Context()); err != nil {
			t.Errorf("%s: Wait: %v", name, err)
		}
	}
	if err := c.echoes(); err != nil {
		t.Errorf("the process that was not meant: %v", err)
	}
}

// A thread's id is no process, although /proc answers for it.
func TestThreadsAreNoProcesses(t *testing.T) {
	t.Parallel()
	tids, release := make(chan int), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	for range 2 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- unix.Gettid()
			<-release
		})
	}
	thread, other := <-tids, <-tids
	if thread == os.Getpid() {
		thread = other
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/stat", thread)); err != nil {
		t.Fatal(err)
	}
	if _, err := Of(thread); !errors.Is(err, ErrGone) {
		t.Errorf("Of: %v, want ErrGone", err)
	}
	self := identify(t, os.Getpid())
	id := Identity{PID: thread, Ticks: self.Ticks, Boot: self.Boot}
	if err := id.Signal(0); !errors.Is(err, ErrGone) || id.Alive() {
		t.Errorf("Signal: %v, want ErrGone; alive %v", err, id.Alive())
	}
	if err := id.Wait(t.Context()); err != nil {
		t.Errorf("Wait: %v", err)
	}
}

func TestSignalRefusesUnknownSignal(t *testing.T) {
	t.Parallel()
	if err := identify(t, os.Getpid()).Signal(1000); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Signal(1000): %v, want EINVAL", err)
	}
}

func TestLastPID(t *testing.T) {
	t.Parallel()
	before, err := LastPID()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := start(t, cat())
	after, err := LastPID()
	if err != nil {
		t.Fatal(err)
	}
	if pid := c.Process.Pid; before <= after && (pid <= before || pid > after) {
		t.Errorf("pid %d was handed out between %d and %d", pid, before, after)
	}
}

func TestSignalReportsRefusal(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may signal every process")
	}
	if err := identify(t, 1).Signal(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("Signal to init: %v, want EPERM", err)
	}
}

// The pid of a dead process is given to a stranger, who must not be taken for
// it. This happens in a pid namespace of its own, where nobody else takes pids
// and nobody else is disturbed.
func TestPIDReuse(t *testing.T) {
	t.Parallel()
	cmd := role("reuse")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("no new pid namespace: %v", err)
	}
	if reason, ok := strings.CutPrefix(string(out), "skip: "); ok {
		t.Skip(reason)
	}
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%s%v", out, err)
	}
}

// runReuse is the first process of a new pid namespace. It returns "ok", "skip:
// …" or what went wrong.
func runReuse() string {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Sprintf("skip: keep mounts private: %v", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Sprintf("skip: mount /proc: %v", err)
	}
	victim, _, err := launch(cat())
	if err != nil {
		return err.Error()
	}
	id, err := Of(victim.Process.Pid)
	if err != nil {
		return err.Error()
	}
	victim.end()

	// Within one clock tick two processes could not be told apart; so let the
	// clock go on to the next.
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return err.Error()
	}
	time.Sleep(time.Duration(id.Ticks+1)*10*time.Millisecond - time.Duration(now.Nano()))

	// A new thread of the Go runtime may take the number first: then try again.
	for range 100 {
		last := []byte(strconv.Itoa(id.PID - 1))
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", last, 0); err != nil {
			return fmt.Sprintf("skip: choose the next pid: %v", err)
		}
		stranger, _, err := launch(cat())
		if err != nil {
			return err.Error()
		}
		if stranger.Process.Pid != id.PID {
			stranger.end()
			continue
		}
		if id.Alive() {
			return "the dead process counts as alive because its pid is in use"
		}
		if err := id.Signal(syscall.SIGKILL); !errors.Is(err, ErrGone) {
			return fmt.Sprintf("signal to the dead process: %v, want ErrGone", err)
		}
		if err := id.Wait(context.Background()); err != nil {
			return fmt.Sprintf("wait for the dead process: %v", err)
		}
		if err := stranger.echoes(); err != nil {
			return fmt.Sprintf("the stranger: %v", err)
		}
		return "ok"
	}
	return "the pid was not given out again"
}

func BenchmarkIdentity(b *testing.B) {
	self, err := Self()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Read", func(b *testing.B) {
		for b.Loop() {
			Read(self.PID)
		}
	})
	b.Run("LastPID", func(b *testing.B) {
		for b.Loop() {
			LastPID()
		}
	})
	b.Run("Boot", func(b *testing.B) {
		for b.Loop() {
			Boot()
		}
	})
	b.Run("Alive", func(b *testing.B) {
		for b.Loop() {
			self.Alive()
		}
	})
	b.Run("Signal", func(b *testing.B) {
		for b.Loop() {
			self.Signal(0)
		}
	})
	b.Run("WaitUntilCancelled", func(b *testing.B) {
		for b.Loop() {
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- self.Wait(ctx) }()
			cancel()
			<-done
		}
	})
	b.Run("WaitCancelled", func(b *testing.B) {
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		for b.Loop() {
			self.Wait(ctx)
		}
	})
}
