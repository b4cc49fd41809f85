package manager

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weft/internal/waittest"
)

// playLeader takes the leadership of the project in dir and says how that went;
// it keeps it until its input ends. Whether there is a manager that will leave it
// is told by a file.
func playLeader(dir string) error {
	asked := false
	l, err := lead(context.Background(), dir, func() bool {
		if !asked {
			fmt.Println("asked")
			asked = true
		}
		_, err := os.Stat(filepath.Join(dir, "vacant"))
		return err == nil
	})
	if errors.Is(err, ErrRunning) {
		fmt.Println("running")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Println("leads")
	_, err = io.Copy(io.Discard, os.Stdin)
	l.release()
	fmt.Println("released")
	return err
}

// A leader is a process that wants to lead a project.
type leader struct {
	*testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newLeader(t *testing.T, dir string) *leader {
	t.Helper()
	l := &leader{T: t, cmd: exec.Command("/proc/self/exe")}
	l.cmd.Env = append(os.Environ(), partVar+"=lead "+dir, "GORACE=atexit_sleep_ms=0")
	l.cmd.Stderr = os.Stderr
	var err error
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := out.(*os.File).SetReadDeadline(time.Now().Add(waittest.Limit())); err != nil {
		t.Fatal(err)
	}
	l.out = bufio.NewReader(out)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.in.Close()
		_ = l.cmd.Process.Kill()
		_ = l.cmd.Wait()
	})
	return l
}

// says fails the test unless the leader says this next.
func (l *leader) says(want string) {
	l.Helper()
	if got, err := l.out.ReadString('\n'); err != nil || got != want+"\n" {
		l.Fatalf("leader says %q, %v; want %q", got, err, want)
	}
}

func wantRunning(t *testing.T, dir string, want bool) {
	t.Helper()
	if got, err := Running(dir); err != nil || got != want {
		t.Errorf("running is %v, %v; want %v", got, err, want)
	}
}

func TestOneLeads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wantRunning(t, dir, false) // not even a file
	first := newLeader(t, dir)
	first.says("leads")
	for range 3 { // looking does not take it away
		wantRunning(t, dir, true)
	}
	second := newLeader(t, dir)
	second.says("asked")
	second.says("running")
	first.in.Close()
	first.says("released")
	wantRunning(t, dir, false)
	newLeader(t, dir).says("leads")
	wantRunning(t, dir, true)
}

// A leader that was killed leaves its place at once.
func TestKilledLeader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLeader(t, dir)
	first.says("leads")
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait() // killed
	wantRunning(t, dir, false)
	newLeader(t, dir).says("leads")
}

// Who finds a leader that is about to leave waits for its place, and gives up
// when somebody else has taken it for good.
func TestLeaderWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vacant := filepath.Join(dir, "vacant")
	if err := os.WriteFile(vacant, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := newLeader(t, dir)
	first.says("leads")
	second := newLeader(t, dir)
	second.says("asked")
	first.in.Close()
	first.says("released")
	second.says("leads")

	third := newLeader(t, dir)
	third.says("asked")
	if err := os.Remove(vacant); err != nil {
		t.Fatal(err)
	}
	third.says("running")
}

// Cancelling the context ends the waiting for a place.
func TestLeaderGivesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newLeader(t, dir).says("leads")
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	l, err := lead(ctx, dir, func() bool { cancel(over); return true })
	if l != nil || !errors.Is(err, over) {
		t.Errorf("lead returned %v, %v", l, err)
	}
}

// A program that the leader has started does not keep its place.
func TestLeadershipIsNotInherited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lead(t.Context(), dir, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}()
	wantRunning(t, dir, true)
	l.release()
	// Another test of this process may be starting a program at this moment,
	// which has the descriptor until it is executed.
	waittest.Until(t, "the end of leadership", func() bool {
		running, err := Running(dir)
		if err != nil {
			t.Fatal(err)
		}
		return !running
	})
}

// The lock is a file of the project and never another one.
func TestLockIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if l, err := lead(t.Context(), dir, func() bool { return false }); err == nil {
		l.release()
		t.Error("leads by a link")
	}
	if _, err := os.Stat(victim); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was created: %v", err)
	}
	if _, err := lead(t.Context(), filepath.Join(dir, "none"), func() bool { return false }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("leads a project that does not exist: %v", err)
	}
}
