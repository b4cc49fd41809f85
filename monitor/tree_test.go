package monitor

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/internal/proc"
)

func nobody(proc.Stat) bool { return false }

// self is the calling process of the pure tests.
const self = 100

// village is the processes of a machine with one task: consumer 10 runs 11, whose relatives are
// spread out.
//
//	1 init
//	├─ 10 consumer (session 10)
//	│  ├─ 11 task (group 11)
//	│  │  └─ 12 (session 12)
//	│  │     └─ 13 zombie
//	│  │        └─ 14 read before its parent died
//	│  └─ 15 adopted (session 15)
//	├─ 20 orphan (session 10, group 20)
//	│  └─ 21 (session 21)
//	├─ 30 stranger (session 30)
//	├─ 100 self (session 100)
//	│  └─ 101 (session 101)
//	└─ 40 adopted by init, started before its neighbours
func village() processes {
	all := make(processes)
	for _, s := range []proc.Stat{
		{PID: 1, Group: 1, Session: 1, Ticks: 0},
		{PID: 2, Kernel: true},
		{PID: 3, PPID: 2, Kernel: true},
		{PID: 10, PPID: 1, Group: 10, Session: 10, Ticks: 50},
		{PID: 11, PPID: 10, Group: 11, Session: 10, Ticks: 60},
		{PID: 12, PPID: 11, Group: 12, Session: 12, Ticks: 61},
		{PID: 13, PPID: 12, Group: 12, Session: 12, Ticks: 62, State: 'Z', Threads: 1},
		{PID: 14, PPID: 13, Group: 14, Session: 14, Ticks: 63},
		{PID: 15, PPID: 10, Group: 15, Session: 15, Ticks: 64},
		{PID: 20, PPID: 1, Group: 20, Session: 10, Ticks: 65},
		{PID: 21, PPID: 20, Group: 21, Session: 21, Ticks: 66},
		{PID: 30, PPID: 1, Group: 30, Session: 30, Ticks: 67},
		{PID: 40, PPID: 1, Group: 40, Session: 40, Ticks: 5},
		{PID: self, PPID: 1, Group: self, Session: self, Ticks: 40},
		{PID: 101, PPID: self, Group: 101, Session: 101, Ticks: 70},
	} {
		all[s.PID] = s
	}
	return all
}

func TestPick(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		tree   Tree
		change func(processes)
		cookie []int
		want   []int
	}{
		{name: "zero tree"},
		{name: "descendants without the root", tree: Tree{Root: 10}, want: []int{11, 12, 13, 14, 15}},
		{name: "root is the caller", tree: Tree{Root: self}, want: []int{101}},
		{name: "session and what descends from it", tree: Tree{Session: 10}, want: []int{10, 11, 12, 13, 14, 15, 20, 21}},
		{name: "session of the root", tree: Tree{Root: 10, Session: 10}, want: []int{11, 12, 13, 14, 15, 20, 21}},
		{name: "group", tree: Tree{Group: 11}, want: []int{11, 12, 13, 14}},
		{name: "cookie and what descends from it", cookie: []int{20, 30}, want: []int{20, 21, 30}},
		{name: "caller's session", tree: Tree{Session: self}},
		{name: "cookie of the caller", cookie: []int{self, 30}, want: []int{30}},
		{name: "cookie of a child of the caller", cookie: []int{101}, want: []int{101}},
		{name: "except cuts", tree: Tree{Root: 10, Except: []int{12, 15}}, want: []int{11}},
		{name: "except cuts but for own marks", tree: Tree{Root: 10, Session: 12, Except: []int{12}},
			want: []int{11, 13, 14, 15}},
		{name: "kernel threads", tree: Tree{Root: 2}, cookie: []int{3}},
		{name: "no such root", tree: Tree{Root: 9999}},
		{name: "nothing older than the first, nor through it", tree: Tree{Root: 1, First: Process{PID: 14, Ticks: 63}},
			want: []int{20, 21, 30}},
		{name: "first still there", tree: Tree{Group: 11, First: Process{PID: 11, Ticks: 60}},
			want: []int{11, 12, 13, 14}},
		{name: "first gone, its group still there", tree: Tree{Session: 10, First: Process{PID: 10, Ticks: 50}},
			change: func(all processes) { delete(all, 10) }, want: []int{11, 12, 13, 14, 20, 21}},
		{name: "number of the first reused", tree: Tree{Session: 30, Group: 30, First: Process{PID: 30, Ticks: 50}}},
		{name: "number of the first reused, cookie left", cookie: []int{20},
			tree: Tree{Session: 30, First: Process{PID: 30, Ticks: 50}}, want: []int{20, 21}},
		{name: "parent younger than its child", tree: Tree{Root: 10},
			change: func(all processes) { s := all[30]; s.PPID, s.Ticks = 15, 63; all[30] = s },
			want:   []int{11, 12, 13, 14, 15}},
		{name: "ring", tree: Tree{Root: 10},
			change: func(all processes) {
				a, b := all[20], all[30]
				a.PPID, b.PPID, b.Ticks = 30, 20, a.Ticks
				all[20], all[30] = a, b
			}, want: []int{11, 12, 13, 14, 15}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := village()
			if test.change != nil {
				test.change(all)
			}
			got := test.tree.pick(all, slices.Sorted(maps.Keys(all)), self, func(s proc.Stat) bool { return slices.Contains(test.cookie, s.PID) }, nobody)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever the machine looks like: a member bears a mark or has a parent that
// leads to one, and nobody that is exempt is a member.
func TestPickIsTheClosureOfTheMarks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.IntRange(1, 12)
		all := make(processes)
		cookie := make(map[int]bool)
		pids := rapid.SliceOfNDistinct(number, 1, 12, rapid.ID).Draw(t, "pids in the order of their start")
		for ticks, pid := range pids {
			all[pid] = proc.Stat{
				PID: pid, PPID: number.Draw(t, "ppid"), Group: number.Draw(t, "group"), Session: number.Draw(t, "session"),
				Ticks: uint64(ticks), Kernel: pid == 11,
			}
			cookie[pid] = rapid.IntRange(0, 5).Draw(t, "cookie") == 0
		}
		tree := Tree{
			Root: number.Draw(t, "root"), Session: number.Draw(t, "tree session"), Group: number.Draw(t, "tree group"),
			Except: []int{number.Draw(t, "except")},
		}
		me := number.Draw(t, "self")

		exempt := func(pid int) bool {
			return pid == me || pid == tree.Root || all[pid].Kernel || slices.Contains(tree.Except, pid)
		}
		want := make(map[int]bool)
		for size := -1; size != len(want); {
			size = len(want)
			for pid, s := range all {
				parent, ok := all[s.PPID]
				heir := ok && parent.Ticks <= s.Ticks && (s.PPID == tree.Root || want[s.PPID])
				if !exempt(pid) && (s.Group == tree.Group || s.Session == tree.Session || cookie[pid] || heir) {
					want[pid] = true
				}
			}
		}
		got := tree.pick(all, slices.Sorted(maps.Keys(all)), me, func(s proc.Stat) bool { return cookie[s.PID] }, nobody)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}
