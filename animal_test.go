//go:build linux

package weft_test

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"weft"
	"weft/internal/proc"
	"weft/taskspec"
)

// An animal is a process that a task starts and that tries to escape. Its name
// says how; all of them hold the task's output open.
type animal struct {
	name string
	says int // processes that tell their pid
	// escapes says that nothing promises its end once its consumer is killed:
	// it bears no mark by which somebody else could know it.
	escapes bool
}

// zoo are the animals there are.
var zoo = []animal{
	{name: "plain", says: 1},                // is just there when the task's own process has ended
	{name: "session", says: 1},              // in a session of its own
	{name: "orphan", says: 1},               // in a group of its own, its parent gone
	{name: "naked", says: 1, escapes: true}, // in a session of its own, its parent gone, its environment cleared
	{name: "deaf", says: 1},                 // ignores SIGTERM, and so does the task's own process
	{name: "still", says: 1},                // stopped: see keep
	{name: "bomb", says: bombers},           // keeps forking, also while it is being killed
}

// bombers is how many processes of a bomb start children, one after the other: as
// soon as one ends, or is killed, there is the next.
const bombers = 200

// bomb tells of each bomber in a line, which stays whole.
const bomb = `n=0; while [ $n -lt $3 ]; do n=$((n+1))
( read -r pid rest </proc/self/stat; echo bomb $pid >"$1"; while :; do sleep 1; done ) &
done; read -r line <"$2"`

// cage is the spec of a task that has such an animal. Its own process ends when
// the gate opens.
func (a animal) cage(tell, gate *fifo) (*taskspec.Spec, error) {
	if a.name == "bomb" {
		return shell(bomb, tell.path, gate.path, fmt.Sprint(a.says)), nil
	}
	self, err := os.Executable()
	s := weft.Command(self, a.name, tell.path, gate.path)
	s.Spec.Env = map[string]string{partVariable: partKeeper}
	return s, err
}

// keep waits until all of them have told that they live. They are nil if the task
// ends before.
func (a animal) keep(p *project, tell *fifo, tid string) []proc.Identity {
	p.t.Helper()
	herd := p.members(tell, tid, a.says)
	if a.name == "still" {
		for _, id := range herd {
			_ = id.Signal(syscall.SIGSTOP) // it may have ended
		}
	}
	return herd
}

// members are n processes of a task that tell their names and pids, or nil if it
// ends before.
func (p *project) members(tell *fifo, tid string, n int) (all []proc.Identity) {
	p.t.Helper()
	for _, line := range p.told(tell, tid, n) {
		_, number, _ := strings.Cut(line, " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			p.t.Fatal(err)
		}
		id, err := proc.Of(pid)
		if err != nil {
			return nil
		}
		all = append(all, id)
	}
	return all
}

// playKeeper is a task that lets an animal out and waits at the gate.
func playKeeper(name, tell, gate string) error {
	if name == "deaf" {
		signal.Ignore(syscall.SIGTERM) // which its children inherit
	}
	first, attr := name, new(syscall.SysProcAttr)
	switch name {
	case "session":
		attr.Setsid = true
	case "orphan", "naked":
		first = parentOf + name
	}
	if err := again(partAnimal, []string{tell, first}, attr).Start(); err != nil {
		return err
	}
	f, err := os.Open(gate)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = bufio.NewReader(f).ReadString('\n')
	return err
}

// parentOf names a process that leaves an animal behind.
const parentOf = "parent of "

// playAnimal tells that it lives, and waits.
func playAnimal(tell, name string) error {
	child, isParent := strings.CutPrefix(name, parentOf)
	if !isParent {
		return playChild(tell, name)
	}
	next := again(partAnimal, []string{tell, child}, &syscall.SysProcAttr{Setpgid: true})
	if child == "naked" {
		next.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		next.Env = []string{partVariable + "=" + partAnimal}
	}
	return next.Start()
}
