package monitor

import (
	"errors"
	"os/exec"
	"testing"

	"weft/internal/proc"
	"weft/internal/waittest"
)

// hasChildren fails the test unless HasChildren says want.
func hasChildren(t *testing.T, want bool, when string) {
	t.Helper()
	if got, err := HasChildren(); err != nil || got != want {
		t.Errorf("%s: HasChildren() = %v, %v, want %v", when, got, err, want)
	}
}

func TestHasChildren(t *testing.T) {
	hasChildren(t, false, "before")
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := proc.Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	hasChildren(t, true, "while it runs")
	in.Close()
	if err := id.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		hasChildren(t, true, "while it is a zombie")
	}
	// It has been left to its owner.
	if err := cmd.Wait(); err != nil {
		t.Errorf("wait for the child: %v", err)
	}
	hasChildren(t, false, "after")
}

// Of two zombies, one is adopted and one is waited for by its owner, who still
// learns how it ended.
func TestReap(t *testing.T) {
	if got := Reap(); got != 0 {
		t.Errorf("Reap() without children = %d", got)
	}
	own := exec.Command("sh", "-c", "exit 7")
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	g := plant(t, 2, `sh -c "$L1" & `+leaf, leaf)
	if got := Reap(own.Process.Pid, g.cmd.Process.Pid, g.stranger.Process.Pid); got != 0 {
		t.Errorf("Reap() of running children = %d", got)
	}
	if killed, err := (Tree{Cookie: g.cookie}).Kill(waittest.Context(t)); err != nil || killed != 2 {
		t.Fatalf("Kill() = %d, %v", killed, err)
	}
	if got := Reap(own.Process.Pid, g.cmd.Process.Pid); got != 1 {
		t.Errorf("Reap() = %d, want 1", got)
	}
	if got := Reap(own.Process.Pid, g.cmd.Process.Pid); got != 0 {
		t.Errorf("second Reap() = %d, want 0", got)
	}
	own.Wait()
	if got := own.ProcessState.ExitCode(); got != 7 {
		t.Errorf("own child exited with %d, want 7", got)
	}
}

// TestReapOrphans reaps what was adopted and leaves the one whose owner waits for it.
func TestReapOrphans(t *testing.T) {
	if got := reapOrphans(0); got != 0 {
		t.Errorf("reapOrphans() without children = %v", got)
	}
	g := plant(t, 2, `sh -c "$L1" & `+leaf, leaf)
	own := exec.Command("sh", "-c", "read line; exit 7")
	stdin, err := own.StdinPipe()
	if err == nil {
		err = own.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if killed, err := (Tree{Cookie: g.cookie}).Kill(waittest.Context(t)); err != nil || killed != 2 {
		t.Fatalf("Kill() = %d, %v", killed, err)
	}
	reapOrphans(own.Process.Pid)
	if got := Reap(own.Process.Pid); got != 0 {
		t.Errorf("Reap() after reapOrphans() = %d, want 0", got)
	}
	stdin.Close()
	id, err := proc.Of(own.Process.Pid)
	if err == nil {
		err = id.Wait(waittest.Context(t))
	}
	if err != nil && !errors.Is(err, proc.ErrGone) {
		t.Fatal(err)
	}
	reapOrphans(own.Process.Pid)
	own.Wait()
	if got := own.ProcessState.ExitCode(); got != 7 {
		t.Errorf("own child exited with %d, want 7", got)
	}
}
