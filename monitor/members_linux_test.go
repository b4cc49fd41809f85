package monitor

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"weft/internal/proc"
	"weft/internal/waittest"
)

// members returns the members of a tree as a test sees them.
func members(t *testing.T, tree Tree) []proc.Identity {
	t.Helper()
	ids, err := tree.Members()
	if err != nil {
		t.Fatal(err)
	}
	var all []proc.Identity
	for _, m := range ids {
		all = append(all, proc.Identity(m))
	}
	return all
}

func TestMembers(t *testing.T) {
	// The first leads a session and its group. Its children: one in the same
	// group, one in a session of its own.
	g := plant(t, 3, `sh -c "$L1" & setsid sh -c "$L1" & echo $$; wait`, leaf)
	defer (Tree{Cookie: g.cookie}).Kill(waittest.Context(t))
	pid := g.cmd.Process.Pid
	var first proc.Identity
	for _, id := range g.ids {
		if id.PID == pid {
			first = id
		}
	}
	var own proc.Identity
	for _, id := range g.ids {
		if s, err := proc.Read(id.PID); err != nil {
			t.Fatal(err)
		} else if s.Session == id.PID && id != first {
			own = id
		}
	}
	slices.SortFunc(g.ids, func(a, b proc.Identity) int { return a.PID - b.PID })
	without := func(gone ...proc.Identity) []proc.Identity {
		return slices.DeleteFunc(slices.Clone(g.ids), func(id proc.Identity) bool { return slices.Contains(gone, id) })
	}
	reused, rebooted := first, first
	reused.Ticks--
	rebooted.Boot = "00000000-0000-0000-0000-000000000000"
	for _, test := range []struct {
		name string
		tree Tree
		want []proc.Identity
	}{
		{"zero", Tree{}, nil},
		{"root", Tree{Root: pid}, without(first)},
		{"root is the caller", Tree{Root: os.Getpid(), Except: []int{g.stranger.Process.Pid}}, g.ids},
		{"session", Tree{Session: pid}, g.ids},
		{"session without heirs", Tree{Session: pid, Except: []int{pid}}, without(first, own)},
		{"group", Tree{Group: pid, Except: []int{pid}}, without(first, own)},
		{"session of the child", Tree{Session: own.PID}, []proc.Identity{own}},
		{"cookie", Tree{Cookie: g.cookie}, g.ids},
		{"half the cookie", Tree{Cookie: g.cookie[1:]}, g.ids},
		{"other cookie", Tree{Cookie: []string{g.cookie[0], "WEFT_EPOCH=0"}}, nil},
		{"part of an entry", Tree{Cookie: []string{g.cookie[1][:len(g.cookie[1])-1]}}, nil},
		{"first", Tree{Session: pid, First: Process(first)}, g.ids},
		{"number of the first reused", Tree{Session: pid, Group: pid, First: Process(reused)}, nil},
		{"other boot", Tree{Root: pid, Session: pid, Cookie: g.cookie, First: Process(rebooted)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, members(t, test.tree)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMembersLeaveOutTheCaller(t *testing.T) {
	session, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	self, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	if ids := members(t, Tree{Session: session, Group: syscall.Getpgrp()}); slices.Contains(ids, self) {
		t.Errorf("%v hold the caller %v", ids, self)
	}
}

// While a process executes another program its environment cannot be seen for a
// moment.
func TestMembersDuringExec(t *testing.T) {
	g := plant(t, 1, `echo $$; exec sh -c "$L1"`, `exec sh -c "$L1"`)
	defer (Tree{Cookie: g.cookie}).Kill(waittest.Context(t))
	for look := range 300 {
		if diff := cmp.Diff(g.ids, members(t, Tree{Cookie: g.cookie})); diff != "" {
			t.Fatalf("look %d: -want +got:\n%s", look, diff)
		}
	}
}

// Another user cannot have a process killed by naming it a member.
func TestMembersOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	cookie := "WEFT_TID=" + t.Name()
	for _, uid := range []uint32{0, 65534} {
		cmd := exec.Command("sleep", "600")
		cmd.Env = []string{cookie}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ids := members(t, Tree{Cookie: []string{cookie}})
		if own := uid == 0; own != (len(ids) == 1) {
			t.Errorf("uid %d: %v", uid, ids)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func TestSignal(t *testing.T) {
	// wait returns when a trapped signal comes.
	script := `trap "echo got it" USR1; echo $$; while :; do wait; done`
	g := plant(t, 2, `setsid sh -c "$L1" & sleep 600 & `+script, `sleep 600 & `+script)
	tree := Tree{Cookie: g.cookie}
	defer tree.Kill(waittest.Context(t))
	if err := tree.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := g.hear(t); got != "got it" {
			t.Errorf("heard %q", got)
		}
	}
}

func BenchmarkMembers(b *testing.B) {
	self := os.Getpid()
	for name, tree := range map[string]Tree{
		"Root":   {Root: self},
		"Cookie": {Root: self, Cookie: []string{"WEFT_TID=1"}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				tree.Members()
			}
		})
	}
	b.Run("HasChildren", func(b *testing.B) {
		for b.Loop() {
			HasChildren()
		}
	})
}
