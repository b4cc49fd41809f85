package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/proc"
	"weft/internal/waittest"
)

// bomb starts $1 processes of its kind, which start $1-1, … 0 of theirs: 2 to
// the power of $1 altogether. Every one leaves the session.
const bomb = `echo $$; n=$1; while [ $n -gt 0 ]; do n=$((n-1)); setsid sh -c "$L1" sh $n & done; exec sleep 600`

// hopper goes on in a new process and a new session and ends itself, at most $1
// times.
const hopper = `[ $1 = 3950 ] && echo hop; [ $1 -gt 0 ] && setsid sh -c "$L1" sh $(($1-1)) & exit`

// marks are two ways to know a grove, each of which must do alone.
func (g *grove) marks() map[string]Tree {
	return map[string]Tree{
		"root":   {Root: os.Getpid(), Except: []int{g.stranger.Process.Pid}},
		"cookie": {Cookie: g.cookie},
	}
}

func TestKill(t *testing.T) {
	for _, test := range []struct {
		name   string
		levels []string
		says   int // processes that say their pid before the kill begins
	}{
		{"one process", []string{leaf}, 1},
		{"setsid twice", []string{`setsid sh -c "$L1" & ` + leaf, `setsid sh -c "$L2" & ` + leaf, leaf}, 3},
		{"double fork", []string{`sh -c "$L1"; ` + leaf, `sh -c "$L2" & exit`, leaf}, 2},
		{"parent gone, pipe held", []string{`setsid sh -c "$L1" & exit`, leaf}, 1},
		{"own group", []string{`set -m 2>/dev/null; sh -c "$L1" & ` + leaf, leaf}, 2},
		{"ignores signals", []string{`trap "" HUP INT QUIT TERM; sh -c "$L1" & ` + leaf, leaf}, 2},
		{"stopped child", []string{`sh -c "$L1" & ` + leaf, `echo $$; kill -STOP $$; exec sleep 600`}, 2},
		{"fork bomb, gone off", []string{`sh -c "$L1" sh 8 & exit`, bomb}, 256},
		{"fork bomb, going off", []string{`sh -c "$L1" sh 8 & exit`, bomb}, 10},
	} {
		for _, mark := range []string{"root", "cookie"} {
			t.Run(test.name+" by "+mark, func(t *testing.T) {
				g := plant(t, test.says, test.levels...)
				begin := time.Now()
				killed, err := g.marks()[mark].Kill(waittest.Context(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("killed %d in %v", killed, time.Since(begin))
				if killed < test.says {
					t.Errorf("killed %d, want %d or more", killed, test.says)
				}
			})
		}
	}
}

// A process that starts its child anew whenever that dies must not get to do so.
func TestKillStopsBeforeItKills(t *testing.T) {
	const pairs = 60
	g := plant(t, pairs, `i=0; while [ $i -lt 60 ]; do sh -c "$L1" & i=$((i+1)); done; exec sleep 600`,
		`while :; do sh -c "$L2"; done`, leaf)
	if killed, err := (Tree{Cookie: g.cookie}).Kill(waittest.Context(t)); err != nil || killed != 1+pairs+pairs {
		t.Errorf("Kill() = %d, %v, want each of the %d once", killed, err, 1+pairs+pairs)
	}
}

// Hoppers live for a millisecond each, in ever new sessions.
func TestKillCatchesHoppers(t *testing.T) {
	for _, mark := range []string{"root", "cookie"} {
		t.Run(mark, func(t *testing.T) {
			g := plant(t, 1, `echo $$; for i in 1 2 3 4 5; do sh -c "$L1" sh 4000 & done; exec sleep 600`, hopper)
			for range 5 {
				g.hear(t)
			}
			begin := time.Now()
			killed, err := g.marks()[mark].Kill(waittest.Context(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("killed %d in %v", killed, time.Since(begin))
		})
	}
}

// Without a subreaper an orphan goes to init. Only its cookie is left to know
// it by.
func TestKillFindsEscapee(t *testing.T) {
	if os.Getpid() == 1 {
		t.Skip("this process is init itself")
	}
	subreaper(t, 0)
	defer subreaper(t, 1)
	g := plant(t, 1, `setsid sh -c "$L1" & exit`, leaf)
	if _, err := g.cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	escapee := g.ids[0]
	s, err := proc.Read(escapee.PID)
	if err != nil || s.PPID == os.Getpid() || s.PPID == g.cmd.Process.Pid || s.Session == g.cmd.Process.Pid {
		t.Fatalf("no escapee: %+v, %v", s, err)
	}
	for _, tree := range []Tree{
		{Root: os.Getpid(), Session: g.cmd.Process.Pid, Group: g.cmd.Process.Pid, Except: []int{g.stranger.Process.Pid}},
		{Cookie: append(g.cookie, "WEFT_TID=other")},
	} {
		if members, err := tree.Members(); err != nil || len(members) > 0 {
			t.Errorf("members of %+v: %v, %v", tree, members, err)
		}
	}
	if killed, err := (Tree{Cookie: g.cookie}).Kill(waittest.Context(t)); err != nil || killed != 1 {
		t.Errorf("Kill() = %d, %v", killed, err)
	}
}

func subreaper(t *testing.T, on uintptr) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
}

// A process that has cleared its environment is still known by where it comes
// from.
func TestKillFindsClearedEnvironment(t *testing.T) {
	g := plant(t, 1, `exec env -i setsid sh -c '`+leaf+`'`)
	if members, err := (Tree{Cookie: g.cookie}).Members(); err != nil || len(members) > 0 {
		t.Errorf("by its cookie: %v, %v", members, err)
	}
	tree := Tree{Root: os.Getpid(), Except: []int{g.stranger.Process.Pid}}
	if killed, err := tree.Kill(waittest.Context(t)); err != nil || killed != 1 {
		t.Errorf("Kill() = %d, %v", killed, err)
	}
}

// Even without time to wait, nobody survives or stays stopped.
func TestKillWithContextDone(t *testing.T) {
	g := plant(t, 3, `sh -c "$L1" & sh -c "$L1" & `+leaf, leaf)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	killed, err := (Tree{Cookie: g.cookie}).Kill(ctx)
	if killed != 3 {
		t.Errorf("killed %d, want 3", killed)
	}
	// Whether they are already dead when Kill looks again is up to the kernel.
	if err != nil && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "pid ")) {
		t.Error(err)
	}
	for _, id := range g.ids {
		if err := id.Wait(waittest.Context(t)); err != nil {
			t.Errorf("process %d after Kill: %v", id.PID, err)
		}
	}
}

func TestKillReportsRefusal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	g := plant(t, 1, leaf)
	nobody := exec.CommandContext(waittest.Context(t), "/proc/self/exe")
	// The race detector would hold back the end of the process by a second.
	nobody.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", fmt.Sprint(roleVar, "=kill group ", g.cmd.Process.Pid))
	nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := nobody.CombinedOutput()
	if want := fmt.Sprintf("0 true kill tree: send signal 9 to process %d: operation not permitted\n", g.ids[0].PID); err != nil || string(out) != want {
		t.Errorf("as nobody: %q, %v, want %q", out, err, want)
	}
	if killed, err := (Tree{Group: g.cmd.Process.Pid}).Kill(waittest.Context(t)); err != nil || killed != 1 {
		t.Errorf("as root: %d, %v", killed, err)
	}
}

// runKillGroup is the part of a process that may not kill what it finds.
func runKillGroup(group string) string {
	number, err := strconv.Atoi(group)
	if err != nil {
		return err.Error()
	}
	killed, err := (Tree{Group: number}).Kill(context.Background())
	return fmt.Sprint(killed, errors.Is(err, unix.EPERM), " ", err)
}
